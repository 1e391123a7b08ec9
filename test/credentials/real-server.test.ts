import { expect, test } from 'vitest'
import type { Provider } from '../../src/credentials/provider.ts'
import { parseSecret } from '../../src/credentials/secret.ts'
import { CLIENT, consent, REDIRECT_URI, startAuthorizationServer } from './authorization-server.ts'
import { admin, connecting, connectionTo } from './connecting.ts'
import { vendor } from './simulation.ts'

/** The server's own endpoints, and what RFC 9700 asks of a server with rotation. */
const provider: Provider = {
  ...vendor({ kind: 'single_use' }),
  integrationId: 'servicenow',
  authorizeUrl: '/auth',
  tokenUrl: '/token',
  revocation: { url: '/token/revocation' },
  scopes: ['openid', 'offline_access'],
  authorizeParameters: { prompt: 'consent' },
}

async function connected() {
  await using starting = new AsyncDisposableStack()
  const server = starting.use(await startAuthorizationServer())
  const world = await connecting({
    provider: () => provider,
    client: CLIENT,
    connections: [connectionTo(server.origin)],
  })
  const { url, proof } = await world.startAuthorization({
    caller: admin,
    connectionId: 'conn-1',
    redirectUri: REDIRECT_URI,
  })
  const back = (await consent(url)).searchParams
  const callback = { state: back.get('state') ?? '', code: back.get('code') ?? '', proof }
  const { purpose } = await world.completeAuthorization(callback)
  const owned = starting.move()
  const { credentialId, tenantId, integrationId, origin } = purpose
  const request = { credentialId, tenantId, integrationId, origin }
  const latest = () => {
    const secret = parseSecret(world.vault.secrets.get('credential-cred-1')?.at(-1)?.value ?? '')
    if (secret?.kind !== 'refresh_token') throw new Error('there is no grant')
    return secret
  }
  return {
    server,
    world,
    request,
    callback,
    latest,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

test('a person consents at a real server, and the connection has its token', async () => {
  await using here = await connected()
  const answer = await here.world.getCredential(here.request)
  expect(answer).toMatchObject({
    kind: 'authorized',
    headers: { authorization: `Bearer ${here.latest().accessToken}` },
  })
  expect(here.world.credentials.all()).toMatchObject([
    { id: 'cred-1', type: 'oauth2', enabled: true, needsReauth: false, refreshCount: 0 },
  ])
})

test('a state works once, and a code does not work without its verifier', async () => {
  await using here = await connected()
  const again = here.world.completeAuthorization(here.callback)
  await expect(again).rejects.toMatchObject({ code: 'bad_request' })
  const forged = here.world.completeAuthorization({ ...here.callback, state: 'made-up' })
  await expect(forged).rejects.toMatchObject({ code: 'bad_request' })
})

test('an authorization that nobody ended in ten minutes is over', async () => {
  await using here = await connected()
  const { url, proof } = await here.world.startAuthorization({
    caller: admin,
    connectionId: 'conn-1',
    redirectUri: REDIRECT_URI,
  })
  const back = (await consent(url)).searchParams
  here.world.advance(601_000)
  const late = here.world.completeAuthorization({
    state: back.get('state') ?? '',
    code: back.get('code') ?? '',
    proof,
  })
  await expect(late).rejects.toMatchObject({ code: 'bad_request' })
})

test('S47: many instances with an ended token make the real server rotate once, and revoke nothing', async () => {
  await using here = await connected()
  for (let round = 1; round <= 5; round += 1) {
    here.world.advance(3_600_000)
    const before = here.server.tokenCalls()
    const instances = Array.from({ length: 10 }, () => here.world.anotherInstance())
    const answers = await Promise.all(
      instances.flatMap((one) => [
        one.getCredential(here.request),
        one.getCredential(here.request),
      ]),
    )
    expect(here.server.tokenCalls() - before).toBe(1)
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toMatchObject({
      headers: { authorization: `Bearer ${here.latest().accessToken}` },
    })
  }
  expect(here.server.revokedGrants()).toBe(0)
  expect(here.world.credentials.all()).toMatchObject([{ refreshCount: 5 }])
})

test('the real server does revoke a family when a used token comes again, and then a person is asked once', async () => {
  await using here = await connected()
  const first = here.latest().refreshToken
  here.world.advance(3_600_000)
  await here.world.getCredential(here.request)
  const replay = await fetch(`${here.server.origin}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: first,
      client_id: CLIENT.clientId,
      client_secret: CLIENT.clientSecret,
    }),
  })
  expect(replay.status).toBe(400)
  here.world.advance(3_600_000)
  const instances = Array.from({ length: 5 }, () => here.world.anotherInstance())
  const answers = await Promise.all(instances.map((one) => one.getCredential(here.request)))
  expect(answers.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'refused'))
  expect(here.world.told).toEqual(['cred-1 reauth_required'])
})

test('a credential that is ended is revoked at the real server and gone from the vault', async () => {
  await using here = await connected()
  await here.world.disconnect(here.request)
  expect(here.world.vault.secrets.has('credential-cred-1')).toBe(false)
  expect(here.world.credentials.all()).toEqual([])
  expect(here.server.revokedGrants()).toBe(1)
  expect(await here.world.getCredential(here.request)).toMatchObject({
    kind: 'refused',
    code: 'credential_not_found',
  })
  await here.world.disconnect(here.request)
})
