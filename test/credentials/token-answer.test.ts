import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { providerOf, providers } from '../../src/credentials/providers.ts'
import { readFailedCall, readTokenAnswer } from '../../src/credentials/token-answer.ts'

const now = new Date('2026-03-01T10:00:00.000Z')

function read(vendor: string, status: number, body: unknown) {
  return readWith(vendor, { status, body, retryAfter: null })
}

function readWith(
  vendor: string,
  { status, body, retryAfter }: { status: number; body: unknown; retryAfter: string | null },
) {
  const provider = providerOf(vendor)
  if (!provider) throw new Error(`there is no ${vendor}`)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readTokenAnswer({ status, retryAfter, text }, provider, now)
}

describe('the lifetime of a token', () => {
  test.for([
    [3_600, 3_600],
    ['3600', 3_600],
    [1_799.9, 1_799],
    [5, 30],
    [0, 1_800],
    [-1, 1_800],
    ['soon', 1_800],
    ['', 1_800],
    [null, 1_800],
    [undefined, 1_800],
    // One vendor tells milliseconds.
    [3_600_000_000, 3_600_000],
  ] as const)('of expires_in %o is %d s', ([given, seconds]) => {
    const answer = read('servicenow', 200, { access_token: 'a', expires_in: given })
    expect(answer).toEqual({ kind: 'token', token: { accessToken: 'a', lifetimeSeconds: seconds } })
  })

  test.for([
    ['servicenow', 1_800],
    ['salesforce', 900],
    ['zendesk', 1_800],
    ['github', 28_800],
    ['slack', 43_200],
    ['notion', 3_600],
    ['google', 3_599],
    ['microsoft', 3_600],
    ['hubspot', 1_800],
    ['atlassian', 3_600],
  ] as const)('is %s’s own, %d s, where the answer tells none', ([vendor, lifetimeSeconds]) => {
    expect(read(vendor, 200, { access_token: 'a' })).toMatchObject({ token: { lifetimeSeconds } })
  })
})

describe('a token', () => {
  test('may lie with the person, as at Slack', () => {
    const body = { ok: true, authed_user: { access_token: 'a', refresh_token: 'r', expires_in: 9 } }
    expect(read('slack', 200, body)).toEqual({
      kind: 'token',
      token: { accessToken: 'a', refreshToken: 'r', lifetimeSeconds: 30 },
    })
  })

  test('may come as a form, as from GitHub', () => {
    const body = 'access_token=a&expires_in=28800&refresh_token=r&scope=&token_type=bearer'
    expect(read('github', 200, body)).toEqual({
      kind: 'token',
      token: { accessToken: 'a', refreshToken: 'r', lifetimeSeconds: 28_800 },
    })
  })

  test.for([
    ['an empty one', 200, { access_token: '' }],
    ['a number', 200, { access_token: 7 }],
    ['one in an error', 400, { access_token: 'a' }],
    ['one that is not ok', 200, { ok: false, access_token: 'a', error: 'ratelimited' }],
  ] as const)('is none: %s', ([, status, body]) => {
    expect(read('slack', status, body).kind).not.toBe('token')
  })
})

describe('S50: an answer without a token', () => {
  test.for([
    ['servicenow', 401, { error: 'server_error', error_description: 'access_denied' }, 'dead'],
    ['servicenow', 500, { error: 'server_error' }, 'unavailable'],
    ['salesforce', 400, { error: 'invalid_grant' }, 'dead'],
    ['salesforce', 400, { error: 'inactive_user' }, 'dead'],
    ['salesforce', 400, { error: 'invalid_client_id' }, 'operator'],
    ['salesforce', 400, { error: 'rate_limit_exceeded' }, 'throttled'],
    ['zendesk', 400, { error: 'invalid_grant' }, 'dead'],
    ['github', 200, { error: 'bad_refresh_token' }, 'dead'],
    ['github', 200, { error: 'incorrect_client_credentials' }, 'operator'],
    ['github', 200, 'error=bad_refresh_token&error_description=x', 'dead'],
    ['slack', 200, { ok: false, error: 'invalid_refresh_token' }, 'dead'],
    ['slack', 200, { ok: false, error: 'ratelimited' }, 'throttled'],
    ['slack', 200, { ok: false, error: 'token_rotation_not_enabled' }, 'operator'],
    ['microsoft', 400, { error: 'interaction_required', suberror: 'basic_action' }, 'dead'],
    ['microsoft', 401, { error: 'invalid_client', error_codes: [7000222] }, 'operator'],
    ['hubspot', 400, { status: 'BAD_REFRESH_TOKEN' }, 'dead'],
    ['atlassian', 403, { error: 'invalid_grant' }, 'dead'],
    ['google', 400, { error: { code: 'invalid_grant' } }, 'dead'],
    ['google', 400, { error: 'unauthorized_client' }, 'operator'],
    ['google', 400, { error: 'a_word_of_its_own' }, 'operator'],
    ['google', 503, { error: 'temporarily_unavailable' }, 'unavailable'],
    ['google', 429, '', 'throttled'],
    ['google', 502, '<html>', 'unavailable'],
    ['google', 504, '<html>', 'unknown'],
    ['google', 408, '', 'unavailable'],
    ['google', 302, '', 'unavailable'],
    ['google', 200, '<html>', 'unavailable'],
    ['google', 200, '[]', 'unavailable'],
    ['google', 404, '<html>', 'unavailable'],
    ['zendesk', 200, '{"access_token":"a","refresh_tok', 'unknown'],
    ['zendesk', 400, '{"error":"inv', 'unavailable'],
  ] as const)('of %s, %d %o, means %s', ([vendor, status, body, kind]) => {
    expect(read(vendor, status, body).kind).toBe(kind)
  })

  test.for([
    ['a date', 'Sun, 01 Mar 2026 10:05:00 GMT', 300_000],
    ['a date that has passed', 'Sun, 01 Mar 2026 09:00:00 GMT', 60_000],
    ['a fraction', '90.5', 90_500],
    ['nonsense', 'later', 60_000],
  ] as const)('that asks to wait with %s', ([, header, afterMs]) => {
    expect(readWith('google', { status: 429, body: '', retryAfter: header })).toMatchObject({
      kind: 'throttled',
      afterMs,
    })
  })

  test('never throws and never tells what was in it, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...providers),
        fc.integer({ min: 100, max: 599 }),
        fc.oneof(fc.string(), fc.json(), fc.base64String({ minLength: 20 })),
        (provider, status, noise) => {
          const secret = `s3cret${noise}`
          for (const text of [noise, JSON.stringify({ error: secret, status: secret })]) {
            const outcome = readTokenAnswer({ status, retryAfter: noise, text }, provider, now)
            const reason = 'reason' in outcome ? outcome.reason : ''
            expect(reason).not.toContain(secret)
          }
        },
      ),
    )
  })
})

describe('a call without an answer', () => {
  test.for([
    ['ECONNREFUSED', 'unavailable'],
    ['ENOTFOUND', 'unavailable'],
    ['UND_ERR_CONNECT_TIMEOUT', 'unavailable'],
    ['ECONNRESET', 'unknown'],
    ['UND_ERR_SOCKET', 'unknown'],
    ['UND_ERR_HEADERS_TIMEOUT', 'unknown'],
  ] as const)('that ended in %s: %s', ([code, kind]) => {
    const cause = Object.assign(new Error('with a token in it'), { code })
    const outcome = readFailedCall(new TypeError('fetch failed', { cause }))
    expect(outcome).toEqual({
      kind,
      reason: `the token endpoint could not be reached: ${code}`,
    })
  })

  test('that ended in our own patience is unknown', () => {
    const timeout = new DOMException('too long', 'TimeoutError')
    expect(readFailedCall(timeout)).toMatchObject({ kind: 'unknown' })
  })
})
