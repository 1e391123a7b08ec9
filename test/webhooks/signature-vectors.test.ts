import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { genericScheme } from '../../src/webhooks/generic.ts'
import type { Scheme, WebhookRequest } from '../../src/webhooks/scheme.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'

// Published vectors, fixtures of public repositories and computed regression values, each with its source (2026-11-20).
const vectorSchema = z.object({
  id: z.string(),
  alg: z.string(),
  key: z.string().default(''),
  keyEnc: z.enum(['utf8', 'hex', 'base64']).default('utf8'),
  message: z.string(),
  outEnc: z.enum(['hex', 'base64', 'base64url']),
  expected: z.string(),
  body: z.string().optional(),
  secret: z.string().optional(),
})
type Vector = z.output<typeof vectorSchema>

const vectors = z
  .array(vectorSchema)
  .parse(JSON.parse(readFileSync(new URL('signature-vectors.json', import.meta.url), 'utf8')))

interface Case {
  readonly scheme: Scheme
  readonly request: Partial<WebhookRequest>
}

/** The construction alone: the message as body, the signature as written in a header of its own. */
function bare(vector: Vector): Case {
  const isPublic = vector.alg.endsWith('-verify')
  const rsa = vector.id.startsWith('cavage') || vector.id.startsWith('rfc7520')
  const asymmetric = rsa ? 'rsa-sha256' : 'ecdsa-sha256'
  const algorithm = vector.alg === 'ed25519-verify' ? 'ed25519' : isPublic ? asymmetric : vector.alg
  return {
    scheme: genericScheme({
      kind: 'signed',
      name: vector.id,
      algorithm,
      key: { encoding: isPublic ? 'public-key' : vector.keyEnc },
      signed: '{body}',
      signature: { header: 'x-signature', encodings: [vector.outEnc] },
    }),
    request: {
      headers: { 'x-signature': vector.expected },
      rawBody: Buffer.from(vector.message),
      secrets: [vector.key],
    },
  }
}

function whole(
  scheme: Scheme,
  headers: Record<string, string>,
  more: Partial<WebhookRequest> = {},
): (vector: Vector) => Case {
  return (vector) => ({
    scheme,
    request: {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [
          name,
          value.replace('SIGNATURE', vector.expected).replace('MESSAGE', vector.message),
        ]),
      ),
      rawBody: Buffer.from(vector.body ?? vector.message),
      secrets: [vector.secret ?? vector.key],
      ...more,
    },
  })
}

/** What stands before the timestamp is not the body. */
const afterTimestamp = (seconds: string): ((vector: Vector) => Case) => {
  const discord = whole(schemes.discord, {
    'x-signature-ed25519': 'SIGNATURE',
    'x-signature-timestamp': seconds,
  })
  const sendgrid = whole(schemes.sendgrid, {
    'x-twilio-email-event-webhook-signature': 'SIGNATURE',
    'x-twilio-email-event-webhook-timestamp': seconds,
  })
  return (vector) => {
    const build = vector.id.startsWith('discord') ? discord : sendgrid
    return build({ ...vector, body: vector.message.slice(seconds.length) })
  }
}

const github = whole(schemes.github, { 'x-hub-signature-256': 'sha256=SIGNATURE' })
const standardHeaders = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
}
const at = (seconds: number) => ({ now: new Date(seconds * 1_000) })
const twilio = (url: string, body: string) =>
  whole(
    schemes.twilio,
    { 'x-twilio-signature': 'SIGNATURE', 'content-type': 'application/x-www-form-urlencoded' },
    { url, rawBody: Buffer.from(body) },
  )
const twilioForm =
  'To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&From=%2B14158675309&Digits=1234'
const rfc9421Request = {
  method: 'POST',
  url: 'https://example.com/foo?param=Value&Pet=dog',
  rawBody: Buffer.from('{"hello": "world"}'),
  ...at(1_618_884_473),
}
const rfc9421Headers = {
  date: 'Tue, 20 Apr 2021 02:07:55 GMT',
  'content-type': 'application/json',
  'content-length': '18',
  signature: 'sig=:SIGNATURE:',
}

const cases: Readonly<Record<string, (vector: Vector) => Case>> = {
  'github-docs': github,
  'github-octokit-1': github,
  'convoy-github': github,
  'own-github256': github,
  'own-github1': whole(schemes['github-sha1'], { 'x-hub-signature': 'sha1=SIGNATURE' }),
  'jira-admin-docs': whole(schemes.jira, { 'x-hub-signature': 'sha256=SIGNATURE' }),
  'slack-docs': whole(
    schemes.slack,
    { 'x-slack-signature': 'v0=SIGNATURE', 'x-slack-request-timestamp': '1531420618' },
    at(1_531_420_618),
  ),
  'own-slack': whole(schemes.slack, {
    'x-slack-signature': 'v0=SIGNATURE',
    'x-slack-request-timestamp': '1795176000',
  }),
  'own-stripe': whole(schemes.stripe, { 'stripe-signature': 't=1795176000,v1=SIGNATURE' }),
  'standard-webhooks-v1': whole(
    schemes['standard-webhooks'],
    { ...standardHeaders, 'webhook-signature': 'v1,SIGNATURE' },
    at(1_614_265_330),
  ),
  'standard-webhooks-v1a': (vector) =>
    whole(
      schemes['standard-webhooks-v1a'],
      { ...standardHeaders, 'webhook-signature': 'v1a,SIGNATURE' },
      { ...at(1_614_265_330), secrets: [`whpk_${vector.key}`] },
    )({ ...vector, body: '{"test": 2432232314}' }),
  'twilio-default': twilio('https://mycompany.com/myapp.php?foo=1&bar=2', twilioForm),
  'twilio-port': twilio('https://mycompany.com/myapp.php?foo=1&bar=2', twilioForm),
  'twilio-json': twilio(
    'https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620',
    '{"property": "value", "boolean": true}',
  ),
  'hubspot-v1': whole(schemes.hubspot, {
    'x-hubspot-signature': 'SIGNATURE',
    'x-hubspot-signature-version': 'v1',
  }),
  'hubspot-v2-get': whole(
    schemes.hubspot,
    { 'x-hubspot-signature': 'SIGNATURE', 'x-hubspot-signature-version': 'v2' },
    { method: 'GET', url: 'https://www.example.com/webhook_uri', rawBody: Buffer.alloc(0) },
  ),
  'xero-event-capture': whole(schemes.xero, { 'x-xero-signature': 'SIGNATURE' }),
  'asana-capture': whole(schemes.asana, { 'x-hook-signature': 'SIGNATURE' }),
  'jira-oauth-jwt': whole(schemes.jira, { authorization: 'Bearer MESSAGE.SIGNATURE' }),
  'discord-ping-event': (vector) => {
    const { scheme, request } = afterTimestamp('1638506361')(vector)
    return { scheme, request: { ...request, ...at(1_638_506_361) } }
  },
  'sendgrid-ecdsa': (vector) => {
    const { scheme, request } = afterTimestamp('1600112502')(vector)
    return { scheme, request: { ...request, ...at(1_600_112_502) } }
  },
  'rfc9421-b25': whole(
    { ...schemes['http-signature-hmac'], covers: [] },
    {
      ...rfc9421Headers,
      'signature-input':
        'sig=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    },
    rfc9421Request,
  ),
  'rfc9421-b26': whole(
    { ...schemes['http-signature-ed25519'], covers: [] },
    {
      ...rfc9421Headers,
      'signature-input':
        'sig=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    },
    rfc9421Request,
  ),
  'cavage-c1': whole(
    { ...schemes['cavage-rsa'], covers: ['date'] },
    {
      date: 'Sun, 05 Jan 2014 21:31:40 GMT',
      authorization: 'Signature keyId="Test",algorithm="rsa-sha256",signature="SIGNATURE"',
    },
    { now: new Date('2014-01-05T21:31:40Z') },
  ),
  'own-shopify': whole(schemes.shopify, { 'x-shopify-hmac-sha256': 'SIGNATURE' }),
  'own-seed-salesforce': whole(schemes.salesforce, { 'x-salesforce-content-sha256': 'SIGNATURE' }),
  'own-zendesk': whole(schemes.zendesk, {
    'x-zendesk-webhook-signature': 'SIGNATURE',
    'x-zendesk-webhook-signature-timestamp': '2026-11-20T12:00:00Z',
  }),
  'own-notion': whole(schemes.notion, { 'x-notion-signature': 'sha256=SIGNATURE' }),
  'own-bamboohr': whole(schemes.bamboohr, {
    'x-bamboohr-signature': 'SIGNATURE',
    'x-bamboohr-timestamp': '1795176000',
  }),
  'own-autotask': whole(schemes.autotask, { 'x-hook-signature': 'sha1=SIGNATURE' }),
}

const base: WebhookRequest = {
  method: 'POST',
  url: 'https://hooks.example.com/webhooks/reg-1/events',
  headers: {},
  rawBody: Buffer.alloc(0),
  now: new Date(1_795_176_000_000),
  secrets: [],
}

function isDigest({ id }: Vector): boolean {
  return id === 'rfc7636-pkce' || id === 'rfc9421-digest'
}

test('the file holds forty vectors, and each has its case', () => {
  const known = new Set(vectors.map(({ id }) => id))
  expect(vectors).toHaveLength(40)
  expect(Object.keys(cases).filter((id) => !known.has(id))).toEqual([])
})

test.for(
  vectors.filter((vector) => !isDigest(vector)).map((vector) => [vector.id, vector] as const),
)('%s verifies, and not with another secret, body or signature', ([, vector]) => {
  const { scheme, request } = (cases[vector.id] ?? bare)(vector)
  const complete: WebhookRequest = { ...base, ...request }
  expect(verifyWebhookSignature(scheme, complete)).toMatchObject({ valid: true, secretIndex: 0 })

  const otherSecret = verifyWebhookSignature(scheme, { ...complete, secrets: ['other', 'more'] })
  expect(otherSecret).toMatchObject({ valid: false })
  const headers = Object.fromEntries(
    Object.entries(complete.headers).map(([name, value]) => [
      name,
      value?.replace(
        vector.expected.slice(0, 12),
        vector.expected.slice(0, 12).split('').toReversed().join(''),
      ),
    ]),
  )
  expect(verifyWebhookSignature(scheme, { ...complete, headers })).toMatchObject({ valid: false })
})

test.for(vectors.filter(isDigest).map((vector) => [vector.id, vector] as const))(
  '%s is the digest of its message',
  ([, vector]) => {
    const digest = createHash(vector.alg).update(vector.message).digest(vector.outEnc)
    expect(digest).toBe(vector.expected)
  },
)
