import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { genericScheme } from '../../src/webhooks/generic.ts'
import { handshake } from '../../src/webhooks/handshake.ts'
import type { Scheme, WebhookRequest } from '../../src/webhooks/scheme.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { sign } from '../../src/webhooks/sign.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'
import { now } from './samples.ts'

const body = '{"id":"evt_1","name":"Zoë ☃","n":1.0}'
const zendeskTestSecret = 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=='

interface Row {
  readonly scheme: Scheme
  readonly secret: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly more?: Partial<WebhookRequest>
}

// Values printed in vendors' documents and libraries, or computed once from the documented construction.
const rows: Readonly<Record<string, Row>> = {
  'Shopify, from the tests of frain-dev/convoy': {
    scheme: schemes.shopify,
    secret: 'Convoy',
    headers: { 'x-shopify-hmac-sha256': '16FUVH58NeMcTIIOICN2UJOcPTTa4TbjCndXymGrtM8=' },
    body: 'Test Payload Body',
  },
  'HubSpot v2 with a body, from its documents': {
    scheme: schemes.hubspot,
    secret: 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy',
    headers: {
      'x-hubspot-signature': '9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900',
      'x-hubspot-signature-version': 'v2',
    },
    body: '{"example_field":"example_value"}',
    more: { url: 'https://www.example.com/webhook_uri' },
  },
  'HubSpot v3, computed': {
    scheme: schemes.hubspot,
    secret: 'topsecret',
    headers: {
      'x-hubspot-signature-v3': 'Y0hE15w+bsLTIt+BaidcHGmHEhrPkt06HmaXPQOUFPI=',
      'x-hubspot-request-timestamp': '1795176000000',
    },
    body,
    more: { url: 'https://example.com/hooks/hubspot?x=1' },
  },
  'Zendesk without a body, computed with the test secret of its documents': {
    scheme: schemes.zendesk,
    secret: zendeskTestSecret,
    headers: {
      'x-zendesk-webhook-signature': 'Wyh7kG5dYV7eHYrqmOiUj3uNCTFGWJNQKL2nN7w56Uo=',
      'x-zendesk-webhook-signature-timestamp': '2026-11-20T12:00:00Z',
    },
    body: '',
  },
  'draft-cavage C.2': {
    scheme: { ...schemes['cavage-rsa'], covers: ['(request-target)', 'host', 'date'] },
    secret:
      'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C36rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJwoYi+1hqp1fIekaxsyQIDAQAB',
    headers: {
      host: 'example.com',
      date: 'Sun, 05 Jan 2014 21:31:40 GMT',
      signature:
        'keyId="Test",algorithm="rsa-sha256",headers="(request-target) host date",signature="qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfEdKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0="',
    },
    body: '{"hello": "world"}',
    more: {
      url: 'https://example.com/foo?param=value&pet=dog',
      now: new Date('2014-01-05T21:31:40Z'),
    },
  },
}

test.for(Object.entries(rows))('%s', ([, { scheme, secret, headers, body, more }]) => {
  const request: WebhookRequest = {
    method: 'POST',
    url: 'https://hooks.example.com/',
    headers,
    rawBody: Buffer.from(body),
    now,
    secrets: [secret],
    ...more,
  }
  expect(verifyWebhookSignature(scheme, request)).toMatchObject({ valid: true, secretIndex: 0 })
  expect(verifyWebhookSignature(scheme, { ...request, secrets: ['no'] }).valid).toBe(false)
})

test("Notion's first call is signed with the secret that it brings", () => {
  const signature = '310a03ddbefcecca777dc5234556c5fed3ec50ba0b420c2d659a64df50ffa8b3'
  const outcome = handshake(schemes.notion, {
    method: 'POST',
    url: 'https://hooks.example.com/',
    headers: { 'x-notion-signature': `sha256=${signature}` },
    rawBody: Buffer.from('{"verification_token":"secret_topsecret"}'),
    now,
    secrets: [],
    pending: true,
  })
  expect(outcome).toMatchObject({ kind: 'answered', learnedSecret: 'secret_topsecret' })
})

const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

test.for([
  ['rsa-pss-sha512', rsa],
  ['ecdsa-sha256-raw', curve],
] as const)('HTTP message signatures with %s make the round trip', ([algorithm, pair]) => {
  const scheme = genericScheme({
    kind: 'http-signature',
    name: algorithm,
    style: 'rfc9421',
    algorithm,
    key: { encoding: 'public-key' },
    covers: ['@method', '@authority', '@path', '@query', '@query-param;name=x', 'content-digest'],
    toleranceSeconds: 60,
  })
  const components = {
    ...scheme,
    covers: ['@method', '@authority', '@path', '@query', 'content-digest'],
  }
  const signed = sign(components, {
    method: 'POST',
    url: 'https://hooks.example.com/a?x=1',
    rawBody: Buffer.from(body),
    now,
    secret: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  })
  const secrets = [pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()]
  const request: WebhookRequest = { ...signed, now, secrets }
  expect(verifyWebhookSignature(components, request)).toMatchObject({ valid: true })
  expect(verifyWebhookSignature(scheme, request)).toEqual({
    valid: false,
    reason: 'component_not_covered',
  })
  const otherBody = { ...request, rawBody: Buffer.from('{}') }
  expect(verifyWebhookSignature(components, otherBody)).toEqual({
    valid: false,
    reason: 'body_digest_mismatch',
  })
})

test('a token with ES256 makes the round trip', () => {
  const scheme = genericScheme({
    kind: 'jwt',
    name: 'tokens',
    at: { in: 'query', name: 'jwt' },
    algorithm: 'ES256',
    claims: [{ claim: 'aud', setting: 'audience', required: true }],
    clockSkewSeconds: 0,
  })
  const signed = sign(scheme, {
    method: 'POST',
    url: 'https://hooks.example.com/',
    rawBody: Buffer.alloc(0),
    now,
    secret: curve.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    claims: { aud: 'us' },
  })
  const request: WebhookRequest = {
    ...signed,
    now,
    secrets: [],
    keys: [rsa.publicKey.export({ format: 'jwk' }), curve.publicKey.export({ format: 'jwk' })],
    expected: { audience: 'us' },
  }
  expect(verifyWebhookSignature(scheme, request)).toMatchObject({ valid: true, secretIndex: 1 })
  expect(verifyWebhookSignature(scheme, { ...request, keys: [] }).valid).toBe(false)
})
