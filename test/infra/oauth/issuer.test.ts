import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { serveControl } from '../../../infra/local/control-server.ts'
import { startIssuer } from '../../../infra/local/oauth/issuer.ts'

const person = { subject: 'u1', tenantId: 't1', roles: ['admin'] }

const discoveryShape = z.object({ issuer: z.string(), jwks_uri: z.string() })

/** What a stranger knows: the issuer's address. Everything else is discovered. */
async function check(issuer: string, token: string): Promise<JWTPayload> {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`)
  const found = discoveryShape.parse(await answer.json())
  expect(found.issuer).toBe(issuer)
  const keys = createRemoteJWKSet(new URL(found.jwks_uri))
  const { payload } = await jwtVerify(token, keys, { issuer, audience: 'syncline' })
  return payload
}

test.for(['RS256', 'ES256'] as const)(
  'a minted %s token is checked by discovery alone',
  async (algorithm) => {
    await using issuer = await startIssuer({ algorithm })
    const { AUTH_ISSUERS: url = '', AUTH_AUDIENCE: audience } = issuer.settings
    const { token, expiresAt } = await issuer.control.mint({
      ...person,
      claims: { userSysId: 'sys-1', sub: 'somebody else', iss: 'elsewhere' },
    })
    expect(decodeProtectedHeader(token)).toMatchObject({
      alg: algorithm,
      kid: expect.any(String),
    })
    const claims = await check(url, token)
    expect(claims).toMatchObject({
      iss: url,
      sub: 'u1',
      aud: audience,
      tenantId: 't1',
      roles: ['admin'],
      userSysId: 'sys-1',
    })
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600)
    expect(new Date(expiresAt).getTime()).toBe((claims.exp ?? 0) * 1000)
  },
)

test('after a rotation old tokens are good until the old key is forgotten', async () => {
  await using issuer = await startIssuer({ algorithm: 'ES256' })
  const { AUTH_ISSUERS: url = '' } = issuer.settings
  const { token: before } = await issuer.control.mint(person)
  await issuer.control.rotateKeys()
  const { token: after } = await issuer.control.mint(person)
  expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid)
  await check(url, before)
  await check(url, after)
  await issuer.control.rotateKeys({ forgetFormer: true })
  await expect(check(url, before)).rejects.toThrow('no applicable key')
  await expect(check(url, after)).rejects.toThrow('no applicable key')
})

test('tokens expire by the clock of the issuer', async () => {
  await using issuer = await startIssuer({ algorithm: 'ES256' })
  const { AUTH_ISSUERS: url = '' } = issuer.settings
  const { token: expired } = await issuer.control.mint({ ...person, expiresInSeconds: -60 })
  await expect(check(url, expired)).rejects.toThrow('"exp"')
  issuer.control.clock.advance(3_600_000)
  const { token: future } = await issuer.control.mint(person)
  await expect(check(url, future)).rejects.toThrow('"nbf"')
})

test('the production side cannot mint, the control channel can', async () => {
  await using issuer = await startIssuer({ algorithm: 'ES256' })
  await using channel = await serveControl([issuer])
  const { AUTH_ISSUERS: url = '' } = issuer.settings
  const refused = await fetch(`${url}/token`, { method: 'POST', body: JSON.stringify(person) })
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { error: 'unauthorized_client' },
  ])
  const command = (name: string, body: unknown) =>
    fetch(`${channel.origin}/oauth/commands/${name}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
  const minted = await (await command('mint', person)).json()
  const { answer } = z.object({ answer: z.object({ token: z.string() }) }).parse(minted)
  expect((await check(url, answer.token)).sub).toBe('u1')
  expect((await command('rotate', { forgetFormer: true })).status).toBe(200)
  await expect(check(url, answer.token)).rejects.toThrow('no applicable key')
  expect((await command('mint', { ...person, roles: 'admin' })).status).toBe(400)
  expect(JSON.stringify(issuer.control.inspect())).not.toContain('"d":')
})
