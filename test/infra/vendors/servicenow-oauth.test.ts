import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { startTwin, type Twin } from './servicenow-client.ts'

const CLIENT = {
  client_id: 'local-servicenow-client',
  client_secret: 'local-servicenow-secret',
}
const PASSWORD = {
  ...CLIENT,
  grant_type: 'password',
  username: 'syncline.integration',
  password: 'local-servicenow-password',
}
const DENIED = { error: 'server_error', error_description: 'access_denied' }

interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
}

async function token(twin: Twin, form: Record<string, string>, path = '/oauth_token.do') {
  const response = await fetch(`${twin.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
  const body = (await response.json()) as Tokens // the tests below check what matters of it
  return { status: response.status, body }
}

const refresh = (twin: Twin, value = '') =>
  token(twin, { ...CLIENT, grant_type: 'refresh_token', refresh_token: value })

const statusWith = async (twin: Twin, accessToken: string) =>
  (
    await twin.call('/api/now/table/incident', {
      headers: { authorization: `Bearer ${accessToken}` },
    })
  ).status

test('the password grant answers both tokens for half an hour', async () => {
  await using twin = await startTwin()
  const { status, body } = await token(twin, PASSWORD)
  expect(status).toBe(200)
  expect(body).toEqual({
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    scope: 'useraccount',
    token_type: 'Bearer',
    expires_in: 1799,
  })
  expect(await statusWith(twin, body.access_token)).toBe(200)
  twin.control.clock.advance(1_800_000)
  expect(await statusWith(twin, body.access_token)).toBe(401)
})

test('a refresh answers a new access token and the same refresh token', async () => {
  await using twin = await startTwin()
  const first = await token(twin, PASSWORD)
  const second = await refresh(twin, first.body.refresh_token)
  expect(second.body.refresh_token).toBe(first.body.refresh_token)
  expect(second.body.access_token).not.toBe(first.body.access_token)
  expect(await statusWith(twin, first.body.access_token)).toBe(200)
})

test('an instance may answer the living access token again, with a later expiry', async () => {
  await using twin = await startTwin()
  twin.control.setProperty('twin.oauth.reuse_live_token', 'true')
  const first = await token(twin, PASSWORD)
  twin.control.clock.advance(1_000_000)
  const second = await refresh(twin, first.body.refresh_token)
  expect(second.body.access_token).toBe(first.body.access_token)
  twin.control.clock.advance(1_000_000)
  expect(await statusWith(twin, first.body.access_token)).toBe(200)
})

test('a refresh token lives a hundred days from the last sign-in', async () => {
  await using twin = await startTwin()
  const { body } = await token(twin, PASSWORD)
  twin.control.clock.advance(8_000_000_000)
  const again = await token(twin, PASSWORD)
  expect(again.body.refresh_token).toBe(body.refresh_token)
  twin.control.clock.advance(8_000_000_000)
  expect((await refresh(twin, body.refresh_token)).status).toBe(200)
  twin.control.clock.advance(640_000_000)
  expect(await refresh(twin, body.refresh_token)).toEqual({ status: 401, body: DENIED })
})

test('client credentials get no refresh token and act as the integration user', async () => {
  await using twin = await startTwin()
  const { body } = await token(twin, { ...CLIENT, grant_type: 'client_credentials' })
  expect(body).not.toHaveProperty('refresh_token')
  const headers = { authorization: `Bearer ${body.access_token}` }
  await twin.call('/api/now/table/incident', { method: 'POST', headers, body: {} })
  expect(twin.control.rows('incident')[0]?.['sys_created_by']).toBe('syncline.integration')
})

test('what is wrong with a token call is never told apart', async () => {
  await using twin = await startTwin()
  const wrong = [
    { ...PASSWORD, client_secret: 'wrong' },
    { ...PASSWORD, password: 'wrong' },
    { ...CLIENT, grant_type: 'refresh_token', refresh_token: 'unknown' },
    { ...CLIENT, grant_type: 'magic' },
    {},
  ]
  for (const form of wrong) expect(await token(twin, form)).toEqual({ status: 401, body: DENIED })
  const asJson = await twin.call('/oauth_token.do', { method: 'POST', body: PASSWORD })
  expect([asJson.status, asJson.json]).toEqual([401, DENIED])
})

test('parameters in the URL are refused until the property allows them', async () => {
  await using twin = await startTwin()
  const path = `/oauth_token.do?${new URLSearchParams(PASSWORD).toString()}`
  expect((await token(twin, {}, path)).status).toBe(401)
  twin.control.setProperty('glide.oauth.allow.parameters.in.post.body.only', 'false')
  expect((await token(twin, {}, path)).status).toBe(200)
})

test('some instances name the error as the standard does', async () => {
  await using twin = await startTwin()
  twin.control.setProperty('twin.oauth.errors', 'rfc6749')
  expect(await refresh(twin, 'unknown')).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
  expect(await token(twin, { ...PASSWORD, client_id: 'x' })).toMatchObject({
    status: 401,
    body: { error: 'invalid_client' },
  })
})

test('anybody can revoke a token, without authentication', async () => {
  await using twin = await startTwin()
  const { body } = await token(twin, PASSWORD)
  await fetch(`${twin.url}/oauth_revoke_token.do?token=${body.access_token}`)
  expect(await statusWith(twin, body.access_token)).toBe(401)
  await fetch(`${twin.url}/oauth_revoke_token.do?token=${body.refresh_token ?? ''}`)
  expect((await refresh(twin, body.refresh_token)).status).toBe(401)
})

const REDIRECT = 'http://127.0.0.1/callback'

function authorize(twin: Twin, parameters: Record<string, string>) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT.client_id,
    redirect_uri: REDIRECT,
    ...parameters,
  })
  return twin.call(`/oauth_auth.do?${query.toString()}`)
}

async function codeFor(twin: Twin, parameters: Record<string, string>): Promise<string> {
  const { headers } = await authorize(twin, { state: 's 1', ...parameters })
  const target = new URL(headers.get('location') ?? '')
  expect([target.origin + target.pathname, target.searchParams.get('state')]).toEqual([
    REDIRECT,
    's 1',
  ])
  return target.searchParams.get('code') ?? ''
}

test('a public client changes its code for tokens once, with the right verifier', async () => {
  await using twin = await startTwin()
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' }
  const form = (code: string) => ({
    grant_type: 'authorization_code',
    client_id: CLIENT.client_id,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
    code,
  })
  const code = await codeFor(twin, pkce)
  const granted = await token(twin, form(code))
  expect(granted.status).toBe(200)
  expect(granted.body).not.toHaveProperty('refresh_token')
  expect((await token(twin, form(code))).status).toBe(401)
  const other = { ...form(await codeFor(twin, pkce)), code_verifier: 'wrong' }
  expect((await token(twin, other)).status).toBe(401)
  expect((await token(twin, form(await codeFor(twin, {})))).status).toBe(401)
  const late = form(await codeFor(twin, pkce))
  twin.control.clock.advance(60_000)
  expect((await token(twin, late)).status).toBe(401)
})

test('a confidential client gets a refresh token for the user who signed in', async () => {
  await using twin = await startTwin({ count: 5 })
  const userName = twin.control.rows('sys_user').at(-1)?.['user_name'] ?? ''
  twin.control.signIn(userName)
  const code = await codeFor(twin, {})
  const form = { ...CLIENT, grant_type: 'authorization_code', redirect_uri: REDIRECT, code }
  const { body } = await token(twin, form)
  const renewed = await refresh(twin, body.refresh_token)
  const headers = { authorization: `Bearer ${renewed.body.access_token}` }
  await twin.call('/api/now/table/incident', { method: 'POST', headers, body: {} })
  expect(twin.control.rows('incident').at(-1)?.['sys_created_by']).toBe(userName)
})

test.for([
  [{}, 'state'],
  [{ state: 's', client_id: 'unknown' }, 'client'],
  [{ state: 's', response_type: 'token' }, 'response type'],
  [{ state: 's', code_challenge: 'x', code_challenge_method: 'plain' }, 'method'],
] as const)(
  'an authorization request %o is refused with a page about the %s',
  async ([query, what]) => {
    await using twin = await startTwin()
    const { status, headers, text } = await authorize(twin, query)
    expect([status, headers.get('content-type')]).toEqual([400, 'text/html;charset=UTF-8'])
    expect(text).toContain(what)
  },
)

test('basic auth and an API key open the API; anything else is answered 401', async () => {
  await using twin = await startTwin()
  const status = async (headers: Record<string, string>, query = '') =>
    (await fetch(`${twin.url}/api/now/table/incident${query}`, { headers })).status
  expect(await status({ 'x-sn-apikey': 'local-servicenow-api-key' })).toBe(200)
  expect(await status({}, '?x-sn-apikey=local-servicenow-api-key')).toBe(200)
  expect(await status({ 'x-sn-apikey': 'wrong' })).toBe(401)
  expect(await status({ authorization: `Basic ${btoa('syncline.integration:wrong')}` })).toBe(401)
  expect(await status({ authorization: 'Basic %%%' })).toBe(401)
  const refused = await fetch(`${twin.url}/api/now/table/incident`)
  expect([refused.status, await refused.json()]).toEqual([
    401,
    {
      error: {
        message: 'User Not Authenticated',
        detail: 'Required to provide Auth information',
      },
      status: 'failure',
    },
  ])
})

test('a user who is no longer active is signed out everywhere', async () => {
  await using twin = await startTwin()
  const { body } = await token(twin, PASSWORD)
  const user = twin.control.rows('sys_user').find((row) => row['user_name'] === PASSWORD.username)
  twin.control.update('sys_user', user?.['sys_id'] ?? '', { active: 'false' })
  expect(await statusWith(twin, body.access_token)).toBe(401)
  expect((await refresh(twin, body.refresh_token)).status).toBe(401)
})
