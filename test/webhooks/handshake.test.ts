import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { acknowledgement } from '../../src/webhooks/answers.ts'
import { handshake } from '../../src/webhooks/handshake.ts'
import type { HandshakeRequest } from '../../src/webhooks/handshake.ts'
import type { Scheme } from '../../src/webhooks/scheme.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { sign } from '../../src/webhooks/sign.ts'
import { delivery, now } from './samples.ts'

const base = 'https://hooks.example.com/webhooks/reg-1/events'
const xss = '<script>alert(1)</script>'

function call(more: Partial<HandshakeRequest>): HandshakeRequest {
  return {
    method: 'POST',
    url: base,
    headers: {},
    rawBody: Buffer.alloc(0),
    now,
    secrets: ['topsecret'],
    ...more,
  }
}

function signedCall(scheme: Scheme, body: unknown): HandshakeRequest {
  return delivery(scheme, { rawBody: Buffer.from(JSON.stringify(body)) })
}

const text = (body: string) => ({
  status: 200,
  contentType: 'text/plain; charset=utf-8',
  headers: { 'X-Content-Type-Options': 'nosniff' },
  body,
})

test('trello looks with HEAD whether the address answers, and others who do so learn nothing', () => {
  const looking = call({ method: 'HEAD' })
  expect(handshake(schemes.trello, looking)).toMatchObject({
    kind: 'answered',
    answer: { status: 200, body: '' },
  })
  expect(handshake(schemes.trello, call({}))).toEqual({ kind: 'none' })
  const echoing = Object.values(schemes).filter(
    (scheme) => scheme.name !== 'trello' && handshake(scheme, looking).kind === 'answered',
  )
  expect(echoing).toEqual([])
})

describe('slack', () => {
  const body = { type: 'url_verification', challenge: '3eZbrw1aB' }

  test('echoes a signed challenge as plain text', () => {
    expect(handshake(schemes.slack, signedCall(schemes.slack, body))).toEqual({
      kind: 'answered',
      answer: text('3eZbrw1aB'),
    })
  })

  test('never echoes to whom it does not know', () => {
    const request = { ...signedCall(schemes.slack, body), secrets: ['another'] }
    expect(handshake(schemes.slack, request)).toEqual({
      kind: 'refused',
      reason: 'signature_mismatch',
      answer: { status: 401, headers: {}, body: '' },
    })
  })

  test('sends markup as text that no browser takes for a page', () => {
    const outcome = handshake(schemes.slack, signedCall(schemes.slack, { ...body, challenge: xss }))
    expect(outcome).toEqual({ kind: 'answered', answer: text(xss) })
  })

  test.for([['x'.repeat(1_025)], ['a\nb'], [''], [undefined], [['a']]] as const)(
    'does not echo %j',
    ([challenge]) => {
      const request = signedCall(schemes.slack, { ...body, challenge })
      const outcome = handshake(schemes.slack, request)
      expect(outcome).toMatchObject({ kind: 'refused', answer: { status: 400, body: '' } })
    },
  )

  test('takes what is too large for a handshake for a delivery', () => {
    const request = signedCall(schemes.slack, { ...body, padding: 'x'.repeat(20_000) })
    expect(handshake(schemes.slack, request)).toEqual({ kind: 'none' })
  })

  test('takes an event for a delivery', () => {
    const request = signedCall(schemes.slack, { type: 'event_callback' })
    expect(handshake(schemes.slack, request)).toEqual({ kind: 'none' })
  })
})

describe('microsoft graph', () => {
  test('echoes the decoded token as plain text', () => {
    const url = `${base}?validationToken=Validation%3a+Testing+client%20application%3Cb%3E`
    expect(handshake(schemes['microsoft-graph'], call({ url }))).toEqual({
      kind: 'answered',
      answer: text('Validation: Testing client application<b>'),
    })
  })

  test.for([
    ['one that is too long', `validationToken=${'x'.repeat(1_025)}`],
    ['two of them', 'validationToken=a&validationToken=b'],
    ['line ends', 'validationToken=a%0D%0Ab'],
    ['none', 'validationToken='],
  ] as const)('refuses %s', ([, query]) => {
    const outcome = handshake(schemes['microsoft-graph'], call({ url: `${base}?${query}` }))
    expect(outcome).toMatchObject({ kind: 'refused', answer: { status: 400, body: '' } })
  })
})

describe('meta', () => {
  const url = (token: string) =>
    `${base}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${token}`

  test.for([
    ['the verify token of the registration', 'meatyhamhock', { verifyToken: 'meatyhamhock' }, true],
    ['one of the secrets where no token is set', 'topsecret', undefined, true],
    ['a secret where a token is set', 'topsecret', { verifyToken: 'meatyhamhock' }, false],
    ['a wrong token', 'guess', { verifyToken: 'meatyhamhock' }, false],
    ['no token', '', undefined, false],
  ] as const)('with %s', ([, token, expected, answered]) => {
    const request = call({ method: 'GET', url: url(token), ...(expected && { expected }) })
    const outcome = handshake(schemes.whatsapp, request)
    const refusal = { reason: 'wrong verify token', answer: { status: 403, headers: {}, body: '' } }
    expect(outcome).toEqual(
      answered ? { kind: 'answered', answer: text('1158201444') } : { kind: 'refused', ...refusal },
    )
  })

  test('an empty verify token opens nothing', () => {
    const request = call({
      method: 'GET',
      url: url(''),
      expected: { verifyToken: '' },
      secrets: [''],
    })
    expect(handshake(schemes.meta, request)).toMatchObject({ kind: 'refused' })
  })
})

// The encrypted token was computed with node:crypto; Zoom publishes no pair with its secret.
test('zoom gets the token and its MAC', () => {
  const plainToken = 'qgg8vlvZRS6UYooatFL8Aw'
  const request = signedCall(schemes.zoom, {
    event: 'endpoint.url_validation',
    payload: { plainToken },
  })
  expect(handshake(schemes.zoom, request)).toMatchObject({
    kind: 'answered',
    answer: {
      status: 200,
      contentType: 'application/json; charset=utf-8',
      body: JSON.stringify({
        plainToken,
        encryptedToken: '624b28a8f186f3510e1aeed9d1f09a18d9e429ece50aa480f78078701c932a5c',
      }),
    },
  })
  expect(handshake(schemes.zoom, { ...request, headers: {} })).toMatchObject({ kind: 'refused' })
})

test.for([
  ['zoom', 'v0:1795176000:{"event":"meeting.started"}'],
  ['zoom', '{"event":"x"}'],
] as const)(
  '%s: a challenge that looks like a delivery (%s) is not signed',
  ([name, plainToken]) => {
    const body = { event: 'endpoint.url_validation', payload: { plainToken } }
    expect(handshake(schemes[name], signedCall(schemes[name], body))).toMatchObject({
      kind: 'refused',
    })
  },
)

describe('challenge-response check', () => {
  const ask = (token: string, secrets = ['topsecret']) =>
    handshake(
      schemes.twitter,
      call({ method: 'GET', url: `${base}?crc_token=${encodeURIComponent(token)}`, secrets }),
    )

  test('is answered with the MAC of the token', () => {
    expect(ask('qgg8vlvZRS6UYooatFL8Aw')).toMatchObject({
      kind: 'answered',
      answer: {
        contentType: 'application/json; charset=utf-8',
        // Base64 of the same MAC as Zoom's above.
        body: '{"response_token":"sha256=YksoqPGG81EOGu7Z0fCaGNnkKezlCqSA94B4cByTKlw="}',
      },
    })
  })

  test.for(['{"for_user_id":"1"}', xss, 'x'.repeat(257), ''])('is not for %s', (token) => {
    expect(ask(token)).toMatchObject({ kind: 'refused' })
  })

  test('needs a secret', () => {
    expect(ask('abc', [''])).toMatchObject({ kind: 'refused' })
  })
})

describe('notion', () => {
  const token = 'secret_topsecret'
  const body = Buffer.from(JSON.stringify({ verification_token: token }))
  const signed = sign(schemes.notion, {
    method: 'POST',
    url: base,
    rawBody: body,
    now,
    secret: token,
  })
  const request: HandshakeRequest = { ...signed, now, secrets: [] }

  test('teaches its secret to a registration that waits for one', () => {
    expect(handshake(schemes.notion, { ...request, pending: true })).toEqual({
      kind: 'answered',
      answer: { status: 200, headers: {}, body: '' },
      learnedSecret: token,
    })
  })

  test('teaches nothing later, nor unsigned', () => {
    expect(handshake(schemes.notion, request)).toMatchObject({ answer: { status: 403 } })
    const unsigned = { ...request, pending: true, headers: {} }
    expect(handshake(schemes.notion, unsigned)).toMatchObject({ answer: { status: 401 } })
  })
})

test('asana gets its secret back in the header, once', () => {
  const request = call({ headers: { 'x-hook-secret': 'b537207f20cbfa02' }, secrets: [] })
  expect(handshake(schemes.asana, { ...request, pending: true })).toEqual({
    kind: 'answered',
    answer: { status: 200, headers: { 'X-Hook-Secret': 'b537207f20cbfa02' }, body: '' },
    learnedSecret: 'b537207f20cbfa02',
  })
  expect(handshake(schemes.asana, request)).toMatchObject({ answer: { status: 403 } })
  // A vendor that did not hear the answer asks again.
  expect(handshake(schemes.asana, { ...request, secrets: ['b537207f20cbfa02'] })).toEqual({
    kind: 'answered',
    answer: { status: 200, headers: { 'X-Hook-Secret': 'b537207f20cbfa02' }, body: '' },
  })
  expect(handshake(schemes.asana, { ...request, secrets: ['another'] })).toMatchObject({
    answer: { status: 403 },
  })
  const twice = call({ headers: { 'x-hook-secret': 'a, b' }, pending: true })
  expect(handshake(schemes.asana, twice)).toMatchObject({ answer: { status: 400 } })
})

test.for([
  ['the right token', 'topsecret', 'answered'],
  ['a wrong token', 'guess', 'refused'],
] as const)('google: the sync message with %s', ([, token, kind]) => {
  const headers = { 'x-goog-resource-state': 'sync', 'x-goog-channel-token': token }
  expect(handshake(schemes['google-channel'], call({ headers }))).toMatchObject({ kind })
})

describe('event grid', () => {
  const code = '512d38b6-c7b8-40c8-89fe-f46f9e9622b6'
  const validation = (validationUrl?: string) =>
    call({
      url: `${base}?token=topsecret`,
      headers: { 'aeg-event-type': 'SubscriptionValidation' },
      rawBody: Buffer.from(JSON.stringify([{ data: { validationCode: code, validationUrl } }])),
    })

  test('gets its code back, and its URL is handed on to be visited', () => {
    const url = `https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/x/validate?id=${code}`
    expect(handshake(schemes['azure-event-grid'], validation(url))).toMatchObject({
      kind: 'answered',
      answer: {
        contentType: 'application/json; charset=utf-8',
        body: JSON.stringify({ validationResponse: code }),
      },
      visit: url,
    })
  })

  test.for([
    'http://rp-eastus2.eventgrid.azure.net/x',
    'https://eventgrid.azure.net.evil.example/x',
    'https://evil.example/?eventgrid.azure.net',
    'https://user@a.eventgrid.azure.net/x',
    'file:///etc/passwd',
    'nonsense',
  ])('never visits %s', (url) => {
    const outcome = handshake(schemes['azure-event-grid'], validation(url))
    expect(outcome.kind).toBe('answered')
    expect(outcome).not.toHaveProperty('visit')
  })

  test('is refused with a wrong token', () => {
    const request = { ...validation(), url: `${base}?token=guess` }
    expect(handshake(schemes['azure-event-grid'], request)).toMatchObject({
      kind: 'refused',
      answer: { status: 401, body: '' },
    })
  })
})

describe('cloudevents', () => {
  const callback = 'https://rp-westus.eventgrid.azure.net/x/validate?id=1'
  const preflight = (query: string) =>
    call({
      method: 'OPTIONS',
      url: base + query,
      headers: {
        'webhook-request-origin': 'eventgrid.azure.net',
        'webhook-request-callback': callback,
      },
    })
  const answer = {
    status: 200,
    headers: { 'WebHook-Allowed-Origin': 'eventgrid.azure.net', 'WebHook-Allowed-Rate': '*' },
    body: '',
  }

  test('the origin is allowed, and with the token the callback is handed on', () => {
    expect(handshake(schemes.cloudevents, preflight('?token=topsecret'))).toEqual({
      kind: 'answered',
      answer,
      visit: callback,
    })
    expect(handshake(schemes.cloudevents, preflight(''))).toEqual({ kind: 'answered', answer })
  })

  test('a wrong token or an origin that is no word is refused', () => {
    expect(handshake(schemes.cloudevents, preflight('?token=guess'))).toMatchObject({
      kind: 'refused',
    })
    const headers = { 'webhook-request-origin': 'a, b' }
    expect(handshake(schemes.cloudevents, call({ method: 'OPTIONS', headers }))).toMatchObject({
      kind: 'refused',
    })
  })
})

test('discord: a signed ping gets a pong', () => {
  const request = signedCall(schemes.discord, { type: 1 })
  expect(handshake(schemes.discord, request)).toMatchObject({ answer: { body: '{"type":1}' } })
  const unsigned = { ...request, headers: {} }
  expect(handshake(schemes.discord, unsigned)).toMatchObject({ answer: { status: 401 } })
})

test('a vendor without a handshake has only deliveries', () => {
  expect(
    handshake(schemes.github, call({ method: 'GET', url: `${base}?hub.mode=subscribe` })),
  ).toEqual({ kind: 'none' })
})

const withChallenge = Object.values(schemes).filter(
  (scheme: Scheme) => scheme.challenge !== undefined,
)

test.for(withChallenge.map((scheme) => [scheme.name, scheme] as const))(
  '%s: whatever comes, the answer is no page and is bounded',
  ([, scheme]) => {
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2_000 }),
      fc.constantFrom(xss, 'url_verification', 'sync', 'subscribe', '1'),
    )
    const name = fc.constantFrom(
      'x-hook-secret',
      'aeg-event-type',
      'x-goog-resource-state',
      'webhook-request-origin',
    )
    const queryName = fc.constantFrom('validationToken', 'crc_token', 'hub.mode', 'hub.challenge')
    const requests = fc.record({
      method: fc.constantFrom('GET', 'POST', 'OPTIONS'),
      url: fc
        .array(fc.tuple(queryName, word))
        .map((pairs) => `${base}?${new URLSearchParams(pairs).toString()}`),
      headers: fc.array(fc.tuple(name, word)).map((pairs) => Object.fromEntries(pairs)),
      rawBody: fc.oneof(
        fc.uint8Array(),
        fc.json().map((each) => Buffer.from(each)),
      ),
      pending: fc.boolean(),
    })
    fc.assert(
      fc.property(requests, (request) => {
        const outcome = handshake(scheme, call(request))
        if (outcome.kind === 'none') return
        const { contentType = '', body, headers } = outcome.answer
        expect(contentType).not.toContain('html')
        expect(body.length).toBeLessThan(5_000)
        expect(Object.values(headers).join('')).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 100 },
    )
  },
)

test('salesforce reads its acknowledgement in SOAP, xero an empty body, others anything', () => {
  expect(acknowledgement(schemes['salesforce-outbound-message'])).toMatchObject({
    status: 200,
    contentType: 'text/xml; charset=utf-8',
    body: expect.stringContaining('<Ack>true</Ack>'),
  })
  expect(acknowledgement(schemes.xero)).toEqual({ status: 200, headers: {}, body: '' })
  expect(acknowledgement(schemes.github)).toBeUndefined()
})
