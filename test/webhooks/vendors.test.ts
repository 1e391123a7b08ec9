import { createHash, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { replayToken } from '../../src/webhooks/replay.ts'
import { genericScheme } from '../../src/webhooks/generic.ts'
import type { Scheme, WebhookRequest } from '../../src/webhooks/scheme.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { sign } from '../../src/webhooks/sign.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'
import { delivery, expected, jwk, jwtPrivateKey, now } from './samples.ts'

// Source of every Twilio value here: twilio/twilio-node, spec/validation.spec.js (read 2026-11-20).
describe('twilio', () => {
  const plain = 'https://mycompany.com/myapp.php?foo=1&bar=2'
  const call =
    'CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212'
  const json = '{"property": "value", "boolean": true}'
  const hash = createHash('sha256').update(json).digest('hex')

  function verdict(url: string, signature: string, body: string) {
    return verifyWebhookSignature(schemes.twilio, {
      method: 'POST',
      url,
      headers: { 'x-twilio-signature': signature },
      rawBody: Buffer.from(body),
      now,
      secrets: ['12345'],
    })
  }

  test.for([
    ['as it is', plain, 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', call],
    [
      'https with a port that was not signed',
      plain.replace('.com', '.com:1234'),
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
      call,
    ],
    [
      'http with a port that was signed',
      'http://mycompany.com:1234/myapp.php?foo=1&bar=2',
      'Zmvh+3yNM1Phv2jhDCwEM3q5ebU=',
      call,
    ],
    ['https with the standard port signed', plain, 'kvajT1Ptam85bY51eRf/AJRuM3w=', call],
    [
      'http with the standard port signed',
      plain.replace('https', 'http'),
      '0ZXoZLH/DfblKGATFgpif+LLRf4=',
      call,
    ],
    ['credentials', plain.replace('//', '//user:pass@'), 'CukzLTc1tT5dXEDIHm/tKBanW10=', call],
    ['a user', plain.replace('//', '//user@'), '2YRLlVAflCqxaNicjMpJcSTgzSs=', call],
    [
      'credentials and the standard port signed',
      plain.replace('//', '//user:pass@'),
      'ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=',
      call,
    ],
    ['special characters', `${plain}&Body=It's+amazing`, 'dsq4Ehbj6cs+KdTkpF5sSSplOWw=', call],
    [
      'a list',
      plain,
      '83O6e2vORAoJHUNzJjDWN1jz+BA=',
      'MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx',
    ],
    [
      'a list with the same value twice',
      plain,
      'IK+Dwps556ElfBT0I3Rgjkr1wJU=',
      'Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234',
    ],
    ['JSON', `${plain}&bodySHA256=${hash}`, 'a9nBmqA0ju/hNViExpshrM61xv4=', json],
    [
      'JSON with nothing but the hash in the query',
      `https://mycompany.com/myapp.php?bodySHA256=${hash}`,
      'y77kIzt2vzLz71DgmJGsen2scGs=',
      json,
    ],
    [
      'an empty object',
      `${plain}&bodySHA256=${createHash('sha256').update('{}').digest('hex')}`,
      'Ldidvp12m26NI7eqEvxnEpkd9Hc=',
      '{}',
    ],
  ] as const)('verifies %s', ([, url, signature, body]) => {
    expect(verdict(url, signature, body)).toMatchObject({ valid: true })
  })

  test.for<[string, string, boolean]>([
    ['now', '"webhookTimestamp":1795176000000', true],
    ['a minute old', '"webhookTimestamp":1795175940000', true],
    ['older', '"webhookTimestamp":1795175939999', false],
    ['of the future', '"webhookTimestamp":1795176060001', false],
    ['in seconds', '"webhookTimestamp":1795176000', false],
    ['that is no number', '"webhookTimestamp":"soon"', false],
    ['that is not there', '"action":"update"', true],
  ])('linear: a moment in the signed body %s', ([, member, valid]) => {
    const rawBody = Buffer.from(`{${member}}`)
    const at = new Date(1_795_176_000_000)
    const signed = sign(schemes.linear, {
      method: 'POST',
      url: 'https://x.example/',
      rawBody,
      now: at,
      secret: 'topsecret',
    })
    const request = { ...signed, now: at, secrets: ['topsecret'] }
    expect(verifyWebhookSignature(schemes.linear, request).valid).toBe(valid)
  })

  test('refuses a body that is not the one whose hash the URL tells', () => {
    expect(
      verdict(`${plain}&bodySHA256=${hash}`, 'a9nBmqA0ju/hNViExpshrM61xv4=', `${json} `),
    ).toEqual({ valid: false, reason: 'body_digest_mismatch' })
  })

  test('refuses a JSON body that the URL says nothing of', () => {
    expect(verdict(plain, 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', json)).toMatchObject({ valid: false })
  })
})

function changed(scheme: Scheme, headers: Record<string, string | undefined>): WebhookRequest {
  const request = delivery(scheme)
  return { ...request, headers: { ...request.headers, ...headers } }
}

function hex(text: string, secret = 'topsecret'): string {
  return createHmac('sha256', secret).update(text).digest('hex')
}

const stripe = (body: string) => hex(`1795176000.${body}`)
const stripeBody = '{"id":"evt_1"}'

test.for([
  ['two signatures, the second ours', `t=1795176000,v1=${hex('x')},v1=${stripe(stripeBody)}`, true],
  ['other versions beside ours', `t=1795176000,v0=abc,v1=${stripe(stripeBody)}`, true],
  ['only other versions', `t=1795176000,v0=${stripe(stripeBody)}`, false],
  ['two timestamps', `t=1795176000,t=1795176000,v1=${stripe(stripeBody)}`, false],
  ['no timestamp', `v1=${stripe(stripeBody)}`, false],
  ['a timestamp in milliseconds', `t=1795176000000,v1=${stripe(stripeBody)}`, false],
  ['a timestamp with a sign', `t=+1795176000,v1=${stripe(stripeBody)}`, false],
  ['upper-case hex', `t=1795176000,v1=${stripe(stripeBody).toUpperCase()}`, false],
  ['one that cannot be read beside ours', `t=1795176000,v1=zz,v1=${stripe(stripeBody)}`, false],
] as const)('stripe: %s', ([, header, valid]) => {
  const verdict = verifyWebhookSignature(schemes.stripe, {
    ...delivery(schemes.stripe, { rawBody: Buffer.from(stripeBody) }),
    headers: { 'stripe-signature': header },
  })
  expect(verdict.valid).toBe(valid)
})

test.for([
  ['github', 'x-hub-signature-256', hex('{}'), 'a prefix that is missing'],
  ['github', 'x-hub-signature-256', `sha1=${hex('{}')}`, 'a prefix of another algorithm'],
  ['github', 'x-hub-signature-256', `SHA256=${hex('{}')}`, 'an upper-case prefix'],
  ['shopify', 'x-shopify-hmac-sha256', hex('{}'), 'hex for base64'],
  ['shopify', 'x-shopify-hmac-sha256', ` ${Buffer.alloc(32).toString('base64')}`, 'a blank'],
  ['shopify', 'x-shopify-hmac-sha256', Buffer.alloc(32).toString('base64url'), 'base64url'],
  ['shopify', 'x-shopify-hmac-sha256', Buffer.alloc(31).toString('base64'), 'too few bytes'],
  ['discord', 'x-signature-ed25519', '00'.repeat(63), 'too few bytes'],
  ['sendgrid', 'x-twilio-email-event-webhook-signature', '%%%', 'no base64'],
  ['google-pubsub', 'authorization', 'Bearer a.b', 'too few parts'],
  ['google-pubsub', 'authorization', 'Bearer a.b.c.d', 'too many parts'],
] as const)('%s: %s with %s is malformed: %s', ([name, header, value]) => {
  expect(
    verifyWebhookSignature(schemes[name], changed(schemes[name], { [header]: value })),
  ).toEqual({
    valid: false,
    reason: 'malformed_signature',
  })
})

test('the project scheme for Salesforce takes hex as well', () => {
  const body = '{"eventId":"e-1"}'
  const request = delivery(schemes.salesforce, { rawBody: Buffer.from(body) })
  const headers = { 'x-salesforce-content-sha256': hex(body) }
  expect(verifyWebhookSignature(schemes.salesforce, { ...request, headers })).toEqual({
    valid: true,
    secretIndex: 1,
    deliveryId: 'e-1',
  })
})

// Source: the vendor's statement that the MAC covers the escaped form; both values recomputed with node:crypto.
test.for([
  ['63dcb8a004df9a7a5475c7fd97e0bcd97d80ce15e0dffe3bcd1a330d2fa05ff9', 'escaped-body'],
  ['0715f91a6b138f53fc3c151b2936ec84ece4bb9ab49e062f9d2812c095ae4000', undefined],
] as const)('whatsapp: %s matches the form %s', ([signature, form]) => {
  const verdict = verifyWebhookSignature(
    schemes.whatsapp,
    changed(schemes.whatsapp, { 'x-hub-signature-256': `sha256=${signature}` }),
  )
  expect(verdict).toEqual({ valid: true, secretIndex: 1, ...(form === undefined ? {} : { form }) })
})

test('hubspot: the URL may be signed with its escapes written out', () => {
  const scheme = schemes['hubspot-v3']
  const signed = delivery(scheme, { url: 'https://hooks.example.com/a?x=https%3A%2F%2Fb%20c' })
  const written = sign(scheme, {
    ...signed,
    headers: {},
    url: 'https://hooks.example.com/a?x=https://b%20c',
    secret: 'topsecret',
  })
  expect(
    verifyWebhookSignature(schemes.hubspot, { ...signed, headers: written.headers }),
  ).toMatchObject({ valid: true, form: 'hubspot-url' })
})

test.for([
  ['every item with the state', '{"value":[{"clientState":"a"},{"clientState":"a"}]}', true],
  ['one item without', '{"value":[{"clientState":"a"},{}]}', false],
  ['one item with another', '{"value":[{"clientState":"a"},{"clientState":"b"}]}', false],
  ['a lifecycle notification', '{"value":[{"lifecycleEvent":"missed","clientState":"a"}]}', true],
  ['no items', '{"value":[]}', false],
  ['no JSON', 'clientState=a', false],
] as const)('microsoft graph: %s', ([, body, valid]) => {
  const verdict = verifyWebhookSignature(schemes['microsoft-graph'], {
    ...delivery(schemes['microsoft-graph']),
    rawBody: Buffer.from(body),
    secrets: ['a'],
  })
  expect(verdict.valid).toBe(valid)
})

test.for([
  ['the organization expected', { organizationId: '00D000000000001EAA' }, true],
  ['another organization', { organizationId: '00D000000000002EAA' }, false],
] as const)('salesforce outbound messages from %s', ([, expects, valid]) => {
  const scheme = schemes['salesforce-outbound-message']
  const verdict = verifyWebhookSignature(scheme, delivery(scheme, { expected: expects }))
  expect(verdict.valid).toBe(valid)
})

test('an organization hidden in a comment is none', () => {
  const scheme = schemes['salesforce-outbound-message']
  const organizationId = '00D000000000001EAA'
  const xml = `<a><!-- <OrganizationId>${organizationId}</OrganizationId> --></a>`
  const request = delivery(scheme, { rawBody: Buffer.from(xml), expected: { organizationId } })
  expect(verifyWebhookSignature(scheme, request)).toEqual({
    valid: false,
    reason: 'claim_mismatch',
  })
})

const seconds = now.getTime() / 1_000

test.for([
  ['as it should be', {}, {}, 'valid'],
  ['of another audience', { aud: 'https://other.example.com' }, {}, 'claim_mismatch'],
  ['with our audience among others', { aud: ['a', expected.audience] }, {}, 'valid'],
  ['of another account', { email: 'who@example.com' }, {}, 'claim_mismatch'],
  ['of another issuer', { iss: 'https://evil.example.com' }, {}, 'claim_mismatch'],
  ['of the issuer without its scheme', { iss: 'accounts.google.com' }, {}, 'valid'],
  ['with an unverified address', { email_verified: false }, {}, 'claim_mismatch'],
  ['that has expired', { exp: seconds - 60 }, {}, 'token_expired'],
  ['without an end', { exp: undefined }, {}, 'token_expired'],
  ['issued in the future', { iat: seconds + 61 }, {}, 'timestamp_out_of_tolerance'],
  ['not valid yet', { nbf: seconds + 61 }, {}, 'timestamp_out_of_tolerance'],
  ['of a key that is not there', {}, { keys: [{ ...jwk, kid: 'other' }] }, 'unknown_key'],
  ['with no keys at all', {}, { keys: [] }, 'unknown_key'],
  ['with no address expected', {}, { expected: { audience: 'a' } }, 'expectation_not_configured'],
] as const)('google pub/sub: a token %s', ([, claims, more, outcome]) => {
  const scheme = schemes['google-pubsub']
  const signed = sign(scheme, {
    ...delivery(scheme),
    headers: {},
    secret: jwtPrivateKey,
    claims: { aud: expected.audience, email: expected.email, ...claims },
    keyId: jwk.kid,
  })
  const verdict = verifyWebhookSignature(scheme, {
    ...delivery(scheme),
    headers: signed.headers,
    ...more,
  })
  expect(verdict.valid ? 'valid' : verdict.reason).toBe(outcome)
})

test.for(['none', 'HS256'] as const)('a token may not choose the algorithm %s', (alg) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg })}.${part({ aud: expected.audience, exp: seconds + 60 })}`
  const mac = createHmac('sha256', JSON.stringify(jwk)).update(text).digest('base64url')
  const request = changed(schemes['google-pubsub'], { authorization: `Bearer ${text}.${mac}` })
  expect(verifyWebhookSignature(schemes['google-pubsub'], request)).toEqual({
    valid: false,
    reason: 'malformed_signature',
  })
})

test('bytes cannot move from a body to the timestamp that is signed right behind it', () => {
  const scheme = schemes.bamboohr
  const request = delivery(scheme, { rawBody: Buffer.from('employee=10') })
  const headers = { ...request.headers, 'x-bamboohr-timestamp': '01795176000' }
  const moved = { ...request, headers, rawBody: Buffer.from('employee=1') }
  expect(verifyWebhookSignature(scheme, request)).toMatchObject({ valid: true })
  expect(verifyWebhookSignature(scheme, moved)).toEqual({
    valid: false,
    reason: 'malformed_timestamp',
  })
})

test('with a clock that tells no time nothing passes', () => {
  const request = { ...delivery(schemes.github), now: new Date(Number.NaN) }
  expect(verifyWebhookSignature(schemes.github, request).valid).toBe(false)
})

test.for([
  ['covers too little', '("@method");created=1795176000', 'component_not_covered'],
  ['has no time', '("@method" "@target-uri" "content-digest")', 'signature_mismatch'],
  [
    'names another algorithm',
    '("@method");created=1795176000;alg="ed25519"',
    'malformed_signature',
  ],
  ['names a component twice', '("@method" "@method");created=1', 'malformed_signature'],
  ['names a parameter we do not know', '("@method";req);created=1', 'malformed_signature'],
  ['is no list', '@method', 'malformed_signature'],
] as const)('an HTTP message signature that %s is refused', ([, input, reason]) => {
  const scheme = schemes['http-signature-hmac']
  const request = changed(scheme, { 'signature-input': `sig1=${input}` })
  expect(verifyWebhookSignature(scheme, request)).toEqual({ valid: false, reason })
})

test('a day-old event passes only with leave to replay this very body', () => {
  const scheme = schemes.slack
  const later = new Date(now.getTime() + 86_400_000)
  const request = { ...delivery(scheme), now: later }
  const until = new Date(later.getTime() + 60_000)
  const token = replayToken('operator', request.rawBody, until)
  const given = (replay: WebhookRequest['replay'], at = later) =>
    verifyWebhookSignature(scheme, { ...request, now: at, ...(replay && { replay }) }).valid
  expect(given({ token, secrets: ['old', 'operator'] })).toBe(true)
  expect(given(undefined)).toBe(false)
  expect(given({ token, secrets: ['topsecret', ''] })).toBe(false)
  expect(given({ token: 'not a token', secrets: ['operator'] })).toBe(false)
  expect(given({ token, secrets: ['operator'] }, until)).toBe(false)
  const other = replayToken('operator', Buffer.from('other'), until)
  expect(given({ token: other, secrets: ['operator'] })).toBe(false)
})

const configured = {
  kind: 'signed',
  name: 'acme',
  algorithm: 'hmac-sha512',
  key: { encoding: 'hex' },
  signed: '{method} {url}\n{timestamp}\n{id}\n{body}',
  signature: { header: 'X-Acme-Signature', prefix: 'v2=', encodings: ['hex-any-case'] },
  timestamp: { at: { in: 'header', name: 'X-Acme-Time' }, unit: 'iso', toleranceSeconds: 60 },
  id: [{ in: 'header', name: 'X-Acme-Id' }],
}

test('a scheme set by configuration signs and verifies, upper-case hex where it says so', () => {
  const scheme = genericScheme(configured)
  const request = delivery(scheme)
  expect(verifyWebhookSignature(scheme, request)).toMatchObject({
    valid: true,
    deliveryId: 'msg_1',
  })
  const signature = request.headers['x-acme-signature']?.replace(/[a-f]/g, (digit) =>
    digit.toUpperCase(),
  )
  const headers = { ...request.headers, 'x-acme-signature': signature }
  expect(verifyWebhookSignature(scheme, { ...request, headers }).valid).toBe(true)
})

test.for([
  ['an unknown placeholder', { signed: '{body}{nonce}{timestamp}{id}' }, 'nonce'],
  ['a body that is not signed', { signed: '{timestamp}{id}' }, '{body}'],
  ['a timestamp that is not signed', { signed: '{body}{id}' }, 'timestamp'],
  ['a digest without the secret', { algorithm: 'sha256' }, 'sha256'],
  ['an asymmetric algorithm with a shared key', { algorithm: 'ed25519' }, 'ed25519'],
  ['an unknown algorithm', { algorithm: 'md5' }, 'algorithm'],
  ['a typo', { tolerence: 3 }, 'tolerence'],
  [
    'encodings that overlap',
    { signature: { header: 'x', encodings: ['base64', 'base64url'] } },
    'encodings',
  ],
  [
    'a header that is none',
    { signature: { header: 'a b', encodings: ['hex'] } },
    'signature.header',
  ],
] as const)('configuration with %s is refused, and says so', ([, change, said]) => {
  expect(() => genericScheme({ ...configured, ...change })).toThrow(said)
})
