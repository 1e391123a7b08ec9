import { createHmac } from 'node:crypto'
import { headerOf, queryOf, valueAt } from './places.ts'
import type { Place, Scheme, Verdict, WebhookRequest } from './scheme.ts'
import { verifyWebhookSignature } from './verify.ts'
import { matchingSecret } from './verify-token.ts'

/** An HTTP answer as it goes out: never HTML, never longer than the challenge allows. */
export interface Answer {
  readonly status: number
  readonly contentType?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface HandshakeRequest extends WebhookRequest {
  /** The registration waits for its vendor's first call; only then may a secret be learned from one. */
  readonly pending?: boolean
}

/**
 * `learnedSecret` must be stored before the answer goes out; `visit` must be fetched (GET) after it. A refusal's answer
 * says nothing of the reason.
 */
export type Handshake =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: string; readonly answer: Answer }
  | {
      readonly kind: 'answered'
      readonly answer: Answer
      readonly learnedSecret?: string
      readonly visit?: string
    }

interface Challenge {
  /** Tells a handshake from a delivery. */
  readonly when: (request: WebhookRequest) => boolean
  /** Who may have an answer: whom the signature or token proves, who knows the verify token, anybody. */
  readonly proof: 'signature' | 'verify-token' | 'learned' | 'open'
  /** What is echoed or answered to. */
  readonly challenge?: Place
  readonly respond: (context: {
    readonly request: WebhookRequest
    readonly challenge: string
    readonly secret: string
  }) => { readonly answer: Answer; readonly visit?: string }
  /** Where a vendor's first call carries the secret of all later ones. */
  readonly secret?: Place
}

/** Longer than any vendor's challenge; Graph's have some 100 characters, Asana's secrets 64. */
const MAX_CHALLENGE_LENGTH = 1_024
const WORD = /^[\x21-\x7e]+$/
// Answers are text: control characters in them are an attack on somebody's terminal or header.
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}]+$/u

/** Where Event Grid may ask us to call back (the address is the caller's to choose, so it is checked). */
const eventGridHost = /^(?:[a-z0-9-]+\.)+eventgrid\.azure\.net$/

const challenges: Readonly<Record<NonNullable<Scheme['challenge']>, Challenge>> = {
  slack: {
    when: bodyHas(['type'], 'url_verification'),
    proof: 'signature',
    challenge: { in: 'json', path: ['challenge'] },
    respond: ({ challenge }) => ({ answer: text(challenge) }),
  },
  graph: {
    when: ({ method, url }) => method === 'POST' && queryOf(url).has('validationToken'),
    proof: 'open',
    challenge: { in: 'query', name: 'validationToken' },
    respond: ({ challenge }) => ({ answer: text(challenge) }),
  },
  meta: {
    when: ({ method, url }) => method === 'GET' && queryOf(url).get('hub.mode') === 'subscribe',
    proof: 'verify-token',
    challenge: { in: 'query', name: 'hub.challenge' },
    respond: ({ challenge }) => ({ answer: text(challenge) }),
  },
  zoom: {
    when: bodyHas(['event'], 'endpoint.url_validation'),
    proof: 'signature',
    challenge: { in: 'json', path: ['payload', 'plainToken'] },
    respond: ({ challenge, secret }) => {
      const encryptedToken = hmac(secret, challenge).toString('hex')
      return { answer: json({ plainToken: challenge, encryptedToken }) }
    },
  },
  notion: {
    when: (request) => valueAt({ in: 'json', path: ['verification_token'] }, request) !== undefined,
    proof: 'learned',
    secret: { in: 'json', path: ['verification_token'] },
    respond: () => ({ answer: empty(200) }),
  },
  asana: {
    when: ({ headers }) => headerOf(headers, 'x-hook-secret') !== undefined,
    proof: 'learned',
    secret: { in: 'header', name: 'x-hook-secret' },
    respond: ({ secret }) => ({ answer: empty(200, { 'X-Hook-Secret': secret }) }),
  },
  'google-channel': {
    when: ({ headers }) => headerOf(headers, 'x-goog-resource-state') === 'sync',
    proof: 'signature',
    respond: () => ({ answer: empty(200) }),
  },
  'event-grid': {
    when: ({ headers }) => headerOf(headers, 'aeg-event-type') === 'SubscriptionValidation',
    proof: 'signature',
    challenge: { in: 'json', path: ['*', 'data', 'validationCode'] },
    respond: ({ challenge, request }) => ({
      answer: json({ validationResponse: challenge }),
      ...visitOf({ in: 'json', path: ['*', 'data', 'validationUrl'] }, request),
    }),
  },
  cloudevents: {
    when: ({ method }) => method === 'OPTIONS',
    proof: 'signature',
    challenge: { in: 'header', name: 'webhook-request-origin' },
    respond: ({ challenge, request }) => ({
      answer: empty(200, { 'WebHook-Allowed-Origin': challenge, 'WebHook-Allowed-Rate': '*' }),
      ...visitOf({ in: 'header', name: 'webhook-request-callback' }, request),
    }),
  },
  crc: {
    when: ({ method, url }) => method === 'GET' && queryOf(url).has('crc_token'),
    proof: 'open',
    challenge: { in: 'query', name: 'crc_token' },
    respond: ({ challenge, secret }) => ({
      answer: json({ response_token: `sha256=${hmac(secret, challenge).toString('base64')}` }),
    }),
  },
  discord: {
    when: bodyHas(['type'], '1'),
    proof: 'signature',
    respond: () => ({ answer: json({ type: 1 }) }),
  },
}

/**
 * Answers a vendor's proof-of-ownership call. `none`: the request is a delivery. Pure and without exceptions, like the
 * verification.
 */
export function handshake(scheme: Scheme, request: HandshakeRequest): Handshake {
  if (scheme.challenge === undefined) return { kind: 'none' }
  const rule = challenges[scheme.challenge]
  if (!rule.when(request)) return { kind: 'none' }

  const proof = prove(rule, scheme, request)
  if ('reason' in proof) return refused(proof.status, proof.reason)

  const challenge = rule.challenge === undefined ? '' : valueAt(rule.challenge, request)
  if (challenge === undefined) return refused(400, 'no challenge')
  if (challenge.length > MAX_CHALLENGE_LENGTH) return refused(400, 'challenge too long')
  if (challenge !== '' && !fits(rule, challenge)) return refused(400, 'challenge malformed')

  const response = rule.respond({ request, challenge, secret: proof.secret })
  const learned = rule.proof === 'learned' ? { learnedSecret: proof.secret } : {}
  return { kind: 'answered', ...response, ...learned }
}

/** What a vendor wants to read after an accepted delivery; undefined where any 2xx will do. */
export function acknowledgement(scheme: Scheme): Answer | undefined {
  switch (scheme.acknowledgement) {
    case 'salesforce-soap':
      return { status: 200, contentType: 'text/xml; charset=utf-8', headers: {}, body: SOAP_ACK }
    case 'empty':
      return empty(200)
    case undefined:
      return undefined
  }
}

/** Anything but this and Salesforce sends the whole batch again (Outbound Messaging, `notificationsResponse`). */
const SOAP_ACK =
  '<?xml version="1.0" encoding="UTF-8"?>' +
  '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>' +
  '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>' +
  '</notificationsResponse></soapenv:Body></soapenv:Envelope>'

type Proof = { readonly secret: string } | { readonly reason: string; readonly status: number }

function prove(
  { proof, secret: place }: Challenge,
  scheme: Scheme,
  request: HandshakeRequest,
): Proof {
  switch (proof) {
    case 'signature':
      return ofVerdict(verifyWebhookSignature(scheme, request), request)
    case 'verify-token': {
      const { verifyToken } = request.expected ?? {}
      const given = queryOf(request.url).getAll('hub.verify_token')
      const allowed = verifyToken === undefined ? request.secrets : [verifyToken]
      const known = given.length === 1 && matchingSecret(given[0] ?? '', allowed) >= 0
      return known ? { secret: '' } : { reason: 'wrong verify token', status: 403 }
    }
    case 'learned':
      return learn(place, scheme, request)
    case 'open': {
      const secret = request.secrets.find((each) => each !== '')
      return secret === undefined ? { reason: 'no usable secret', status: 401 } : { secret }
    }
  }
}

function ofVerdict(verdict: Verdict, { secrets }: WebhookRequest): Proof {
  return verdict.valid
    ? { secret: secrets[verdict.secretIndex] ?? '' }
    : { reason: verdict.reason, status: 401 }
}

/** A secret is learned once, from a registration that waits for it; where the vendor signs the call, it must hold. */
function learn(place: Place | undefined, scheme: Scheme, request: HandshakeRequest): Proof {
  if (request.pending !== true) return { reason: 'not waiting for a secret', status: 403 }
  const secret = place === undefined ? undefined : valueAt(place, request)
  if (secret === undefined || secret.length > MAX_CHALLENGE_LENGTH || !WORD.test(secret)) {
    return { reason: 'secret malformed', status: 400 }
  }
  if (scheme.challenge === 'asana') return { secret }
  return ofVerdict(verifyWebhookSignature(scheme, { ...request, secrets: [secret] }), {
    ...request,
    secrets: [secret],
  })
}

/** What goes into a header must be one word; what goes into a text may hold blanks. */
function fits({ challenge }: Challenge, value: string): boolean {
  return (challenge?.in === 'header' ? WORD : PRINTABLE).test(value)
}

function bodyHas(path: string[], value: string): Challenge['when'] {
  return (request) => request.method === 'POST' && valueAt({ in: 'json', path }, request) === value
}

function visitOf(place: Place, request: WebhookRequest): { readonly visit?: string } {
  const url = URL.parse(valueAt(place, request) ?? '')
  const safe = url?.protocol === 'https:' && eventGridHost.test(url.hostname) && url.username === ''
  return safe ? { visit: url.href } : {}
}

function hmac(secret: string, message: string): Buffer {
  return createHmac('sha256', secret).update(message, 'utf8').digest()
}

const nosniff = { 'X-Content-Type-Options': 'nosniff' }

function text(body: string): Answer {
  return { status: 200, contentType: 'text/plain; charset=utf-8', headers: nosniff, body }
}

function json(value: object): Answer {
  const body = JSON.stringify(value)
  return { status: 200, contentType: 'application/json; charset=utf-8', headers: nosniff, body }
}

function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: '' }
}

function refused(status: number, reason: string): Handshake {
  return { kind: 'refused', reason, answer: empty(status) }
}
