import { ManagedIdentityCredential } from '@azure/identity'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  LOCAL_TENANT_ID,
  startIdentity,
  SYSTEM_CLIENT_ID,
  type IdentityEmulator,
} from '../../../infra/local/identity/identity.ts'

const USER_ASSIGNED = '11111111-2222-4333-8444-555555555555'

// The SDK takes the endpoint from the environment once and keeps it for the life of the process, so this file has one.
let identity: IdentityEmulator

beforeAll(async () => {
  identity = await startIdentity({ clientIds: [USER_ASSIGNED] })
  Object.assign(process.env, identity.settings)
})

afterAll(async () => {
  for (const name of Object.keys(identity.settings)) delete process.env[name]
  await identity[Symbol.asyncDispose]()
})

test.for([
  ['the system-assigned identity', undefined],
  ['a user-assigned identity', USER_ASSIGNED],
] as const)('the stock credential gets a token of %s', async ([, clientId]) => {
  const credential =
    clientId === undefined
      ? new ManagedIdentityCredential()
      : new ManagedIdentityCredential({ clientId })
  const token = await credential.getToken('https://vault.azure.net/.default')
  expect(decodeJwt(token.token)).toMatchObject({
    aud: 'https://vault.azure.net',
    tid: LOCAL_TENANT_ID,
    appid: clientId ?? SYSTEM_CLIENT_ID,
  })
  const dayMs = 24 * 60 * 60 * 1000
  expect(Math.abs(token.expiresOnTimestamp - Date.now() - dayMs)).toBeLessThan(60_000)
  expect(await identity.verify(token.token, 'https://vault.azure.net')).toMatchObject({
    valid: true,
  })
})

test('an identity that the app does not have is refused', async () => {
  const credential = new ManagedIdentityCredential({ clientId: 'unknown' })
  await expect(credential.getToken('https://vault.azure.net/.default')).rejects.toThrow(
    /No User Assigned or Delegated Managed Identity found/,
  )
})

test.for([
  ['the right header', {}, '?resource=r&api-version=2019-08-01', 200],
  ['a wrong header', { 'x-identity-header': 'guess' }, '?resource=r&api-version=2019-08-01', 401],
  ['another API version', {}, '?resource=r&api-version=2017-09-01', 400],
  ['no resource', {}, '?api-version=2019-08-01', 400],
] as const)('%s is answered %i', async ([, headers, query, status]) => {
  const { IDENTITY_ENDPOINT: url, IDENTITY_HEADER: header = '' } = identity.settings
  const answer = await fetch(`${url}${query}`, {
    headers: { 'x-identity-header': header, ...headers },
  })
  expect(answer.status).toBe(status)
})

test('a token says why it is not good', async () => {
  await using other = await startIdentity({ lifetimeSeconds: 60 })
  const token = await other.accessToken('https://cosmos.azure.com')
  const reasonOf = async (text: string, audience = 'https://cosmos.azure.com') => {
    const verdict = await other.verify(text, audience)
    return verdict.valid ? 'valid' : verdict.reason
  }
  expect(await reasonOf(token)).toBe('valid')
  expect(await reasonOf(token, 'https://vault.azure.net')).toBe('audience')
  expect(await reasonOf(await identity.accessToken('https://cosmos.azure.com'))).toBe('signature')
  expect(await reasonOf('x.y.z')).toBe('malformed')
  other.control.clock.advance(61_000)
  expect(await reasonOf(token)).toBe('expired')
})

test('other processes can check its tokens by the published keys', async () => {
  const { origin } = new URL(identity.settings['IDENTITY_ENDPOINT'] ?? '')
  const keys = createRemoteJWKSet(new URL(`${origin}/discovery/keys`))
  const token = await identity.accessToken('https://vault.azure.net')
  const { payload } = await jwtVerify(token, keys, { audience: 'https://vault.azure.net' })
  expect(payload['tid']).toBe(LOCAL_TENANT_ID)
})
