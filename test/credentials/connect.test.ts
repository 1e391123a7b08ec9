import { describe, expect, test } from 'vitest'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import type { ProfileName } from '../../infra/local/oauth/profiles.ts'
import type { Connection } from '../../src/core/connection.ts'
import { mayShowOurClient, isIssuedBy } from '../../src/credentials/provider.ts'
import { providerOf, providers } from '../../src/credentials/providers.ts'
import { admin, connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

const REDIRECT_URI = 'http://127.0.0.1:7071/api/oauth/callback'

async function world(profile: ProfileName = 'servicenow', more: readonly Connection[] = []) {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const connections = [connectionTo(origin, { integrationId: profile }), ...more]
  const here = await connecting({ provider: localProvider, client: TWIN_CLIENT, connections })
  const owned = starting.move()
  return {
    ...here,
    twin,
    origin,
    begin: (change: object = {}) =>
      here.startAuthorization({
        caller: admin,
        connectionId: 'conn-1',
        redirectUri: REDIRECT_URI,
        ...change,
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** A person who consents: what the vendor sends back with the browser. */
async function consent(url: string) {
  const sent = await fetch(url, { redirect: 'manual' })
  const back = new URL(sent.headers.get('location') ?? '').searchParams
  return { state: back.get('state') ?? '', code: back.get('code') ?? '' }
}

describe('an authorization', () => {
  test('is ended by the browser that began it, and says who asked', async () => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const ended = await here.completeAuthorization({ ...(await consent(url)), proof })
    expect(ended).toMatchObject({ startedBy: 'an-admin', purpose: { connectionId: 'conn-1' } })
    expect(here.credentials.all()).toMatchObject([{ id: 'cred-1', enabled: true }])
  })

  test.for([
    ['with nothing to show', () => undefined],
    ['with an empty cookie', () => ''],
    ['with the cookie of an authorization of its own', (other: string) => other],
  ] as const)('is not ended by another browser %s, and the right one still can', async (row) => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const attacker = await here.begin()
    const callback = await consent(url)
    const calls = here.calls.length
    const forged = here.completeAuthorization({ ...callback, proof: row[1](attacker.proof) })
    await expect(forged).rejects.toMatchObject({ code: 'forbidden' })
    expect(here.calls).toHaveLength(calls)
    expect(here.credentials.all()).toEqual([])
    await here.completeAuthorization({ ...callback, proof })
    expect(here.credentials.all()).toHaveLength(1)
  })

  test('of a phone is ended by its session token and by nothing that a link can carry', async () => {
    await using here = await world()
    const { url, proof, sessionToken } = await here.begin({ deviceLabel: 'my phone' })
    const callback = await consent(url)
    const victim = here.completeAuthorization(callback)
    await expect(victim).rejects.toMatchObject({ code: 'forbidden' })
    expect(here.vault.secrets.size).toBe(1) // the key of states
    expect(proof).toBe(sessionToken)
    await here.completeAuthorization({ ...callback, proof })
    expect(here.credentials.all()).toMatchObject([{ type: 'device' }])
  })

  test('works once, in the same browser too', async () => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const callback = { ...(await consent(url)), proof }
    const both = await Promise.allSettled([
      here.completeAuthorization(callback),
      here.anotherInstance().completeAuthorization(callback),
    ])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const again = here.completeAuthorization(callback)
    await expect(again).rejects.toMatchObject({ code: 'bad_request' })
    expect(here.twin.control.calls()['token']).toBe(1)
  })

  test('is over after ten minutes', async () => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const callback = { ...(await consent(url)), proof }
    here.advance(600_000)
    const late = here.completeAuthorization(callback)
    await expect(late).rejects.toMatchObject({ code: 'bad_request' })
    expect(here.twin.control.calls()['token']).toBeUndefined()
  })

  test('is not begun for another tenant’s connection', async () => {
    await using here = await world('servicenow', [
      connectionTo('https://beta.service-now.com', { id: 'conn-9', tenantId: 'tenant-2' }),
    ])
    const other = here.begin({ connectionId: 'conn-9' })
    await expect(other).rejects.toMatchObject({ code: 'connection_not_found' })
    expect(here.authorizations.all()).toEqual([])
  })

  test.for([
    ['removed', undefined],
    ['led to another instance', { config: { instanceUrl: 'https://beta.service-now.com' } }],
    ['given another credential', { credentialId: 'cred-2' }],
  ] as const)('gives nothing to a connection that was %s meanwhile', async ([, change]) => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const callback = await consent(url)
    const stored = await here.connections.get(['tenant-1'], 'conn-1')
    if (!stored) throw new Error('it is gone')
    const { document, etag } = stored
    await here.connections.write(
      ['tenant-1'],
      [
        change
          ? { kind: 'replace', document: { ...document, ...change }, etag }
          : { kind: 'remove', document, etag },
      ],
    )
    const late = here.completeAuthorization({ ...callback, proof })
    await expect(late).rejects.toMatchObject({ code: 'bad_request' })
    expect(here.twin.control.calls()['token']).toBeUndefined()
    expect(here.credentials.all()).toEqual([])
  })

  test('that is answered by another server than was asked is dropped, its code sent nowhere', async () => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const callback = { ...(await consent(url)), proof }
    const mixed = here.completeAuthorization({ ...callback, iss: 'https://honest.example' })
    await expect(mixed).rejects.toMatchObject({ code: 'bad_request' })
    expect(here.calls).toEqual([])
    const { url: second, proof: secondProof } = await here.begin()
    const good = { ...(await consent(second)), proof: secondProof, iss: here.origin }
    await here.completeAuthorization(good)
  })

  test.for([
    ['access_denied', 'the person did not consent'],
    ['server_error', 'the vendor had a fault; try again later'],
    ['<script>alert(1)</script>', 'the vendor or the person refused it'],
    ['__proto__', 'the vendor or the person refused it'],
    ['constructor', 'the vendor or the person refused it'],
  ] as const)(
    'that the vendor answers with %s is told in our own words',
    async ([error, words]) => {
      await using here = await world()
      const { url, proof } = await here.begin()
      const { state } = await consent(url)
      const refused = here.completeAuthorization({ state, error, proof })
      await expect(refused).rejects.toMatchObject({ code: 'bad_request', message: words })
      expect(here.calls).toEqual([])
    },
  )
})

describe('a connection that is led to another host', () => {
  const elsewhere = 'https://collector.example'
  const secrets = [
    { kind: 'refresh_token', refreshToken: 'r', clientId: 'own', clientSecret: 'own' },
    { kind: 'client_credentials', clientId: 'own', clientSecret: 'own' },
    { kind: 'basic', username: 'ada', password: 'p' },
    { kind: 'api_key', header: 'x-sn-apikey', key: 'k' },
  ] as const

  test.for(secrets)('takes no secret along: %o', async (secret) => {
    await using here = await world()
    const of = { tenantId: 'tenant-1', integrationId: 'servicenow' }
    await here.register({ id: 'cred-1', ...of, origin: here.origin }, secret)
    const request = { ...of, credentialId: 'cred-1', origin: elsewhere }
    const calls = here.calls.length
    expect(await here.getCredential(request)).toMatchObject({ code: 'reauth_required' })
    expect(await here.refusalOf(request)).toMatchObject({ code: 'reauth_required' })
    expect(here.calls).toHaveLength(calls)
    expect(await here.refusalOf({ ...request, origin: here.origin })).toBeUndefined()
  })

  test('has what it had in memory for its own host only', async () => {
    await using here = await world()
    const { url, proof } = await here.begin()
    const { purpose } = await here.completeAuthorization({ ...(await consent(url)), proof })
    expect(await here.getCredential(purpose)).toMatchObject({ kind: 'authorized' })
    const led = await here.getCredential({ ...purpose, origin: elsewhere })
    expect(led).toMatchObject({ code: 'reauth_required' })
  })
})

describe('RFC 9207: the name of who answers', () => {
  test.for([
    ['google', 'https://accounts.google.com', true],
    ['google', 'https://accounts.google.com/', false],
    ['google', 'https://accounts.google.com.evil.example', false],
    ['servicenow', 'https://acme.service-now.com', true],
    ['servicenow', 'https://beta.service-now.com', false],
    ['servicenow', 'http://acme.service-now.com', false],
    ['microsoft', 'https://login.microsoftonline.com/a-tenant/v2.0', true],
    ['microsoft', 'https://login.microsoftonline.com@evil.example', false],
    ['slack', 'nonsense', false],
    ['slack', '', false],
  ] as const)('of %s is %s: %s', ([vendor, iss, expected]) => {
    const provider = providerOf(vendor)
    if (!provider) throw new Error(`there is no ${vendor}`)
    expect(isIssuedBy(provider, 'https://acme.service-now.com', iss)).toBe(expected)
  })
})

describe('our own client of a vendor', () => {
  test.for([
    ['servicenow', 'https://acme.service-now.com', true],
    ['servicenow', 'https://service-now.com.evil.example', false],
    ['servicenow', 'https://evilservice-now.com', false],
    ['servicenow', 'https://evil.example', false],
    ['servicenow', 'http://acme.service-now.com', false],
    ['servicenow', 'http://127.0.0.1:8080', true],
    ['salesforce', 'https://acme.my.salesforce.com', true],
    ['salesforce', 'https://acme.my.salesforce.com.', false],
    ['zendesk', 'https://acme.zendesk.com', true],
    ['zendesk', 'https://acme.service-now.com', false],
    // One place for everybody: the tenant's own address is not where the secret goes.
    ['google', 'https://anything.example', true],
  ] as const)('of %s at %s: %s', ([vendor, origin, expected]) => {
    const provider = providerOf(vendor)
    if (!provider) throw new Error(`there is no ${vendor}`)
    expect(mayShowOurClient(provider, origin)).toBe(expected)
  })

  test('every vendor whose customers have hosts of their own says which', () => {
    const own = providers.filter(({ tokenUrl }) => tokenUrl.startsWith('/'))
    expect(own.filter(({ domains }) => !domains?.length)).toEqual([])
    expect(own.length).toBeGreaterThan(0)
  })

  test('is not shown to a host that a tenant made up', async () => {
    await using here = await world('servicenow', [
      connectionTo('https://collector.example', { id: 'conn-evil', credentialId: 'cred-evil' }),
    ])
    const begun = here.begin({ connectionId: 'conn-evil' })
    await expect(begun).rejects.toMatchObject({ code: 'bad_request' })
    await here.register(
      { id: 'cred-evil', tenantId: 'tenant-1', integrationId: 'servicenow' },
      { kind: 'client_credentials' },
    )
    const answer = await here.getCredential({
      tenantId: 'tenant-1',
      credentialId: 'cred-evil',
      integrationId: 'servicenow',
      origin: 'https://collector.example',
    })
    expect(answer).toMatchObject({ kind: 'refused', code: 'credential_not_found' })
    expect(here.calls).toEqual([])
  })
})
