import { createHmac } from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { signToken, verifyToken } from '../../../infra/local/realtime/tokens.ts'

const accessKey = 'the text of the key'
const nowMs = 1_000_000
const url = 'http://127.0.0.1:1/api/hubs/h/:send'
const rules = { accessKey, nowMs, audiences: [url, `${url}?api-version=1`] }
const good = { aud: url, exp: 1_001 }

function signed(header: object, claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${encode(header)}.${encode(claims)}`
  return `${content}.${createHmac('sha256', accessKey).update(content).digest('base64url')}`
}

test.for([
  ['no token', undefined, 'missing'],
  ['a text that is no JWT', 'hello', 'not a JWT'],
  ['an unsigned token', signed({ alg: 'none' }, good), 'not a JWT signed with HS256'],
  ['another algorithm', signed({ alg: 'HS512' }, good), 'not a JWT signed with HS256'],
  ['another key', signToken(good, 'another'), 'access key'],
  ['no expiry', signToken({ aud: url }, accessKey), 'aud and exp'],
  ['no audience', signToken({ exp: 1_001 }, accessKey), 'aud and exp'],
  ['an expiry that is now', signToken({ aud: url, exp: 1_000 }, accessKey), 'expired'],
  ['a start in the future', signToken({ ...good, nbf: 1_001 }, accessKey), 'not valid yet'],
  ['another URL', signToken({ ...good, aud: `${url}s` }, accessKey), 'audience'],
  ['another query', signToken({ ...good, aud: `${url}?api-version=2` }, accessKey), 'audience'],
] as const)('%s is refused', ([, token, reason]) => {
  const verdict = verifyToken(token, rules)
  expect(verdict.valid ? 'accepted' : verdict.reason).toContain(reason)
})

test.for([
  [url],
  [`${url}?api-version=1`],
  ['HTTP://127.0.0.1:1/api/hubs/h/%3Asend'],
  [`${url}/`],
  [['elsewhere', url]],
] as const)('the audience %s is accepted, however it is written', ([aud]) => {
  expect(verifyToken(signToken({ ...good, aud }, accessKey), rules).valid).toBe(true)
})

test('a token of a library for JWTs is accepted', async () => {
  const token = await new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience(url)
    .setExpirationTime(1_001)
    .sign(new TextEncoder().encode(accessKey))
  const verdict = verifyToken(token, rules)
  expect(verdict.valid && verdict.claims['sub']).toBe('ann')
})
