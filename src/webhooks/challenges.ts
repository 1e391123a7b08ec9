import { createHmac } from 'node:crypto'
import { empty, json, text } from './answers.ts'
import type { Answer } from './answers.ts'
import { headerOf, parseUrl, queryOf, valueAt } from './places.ts'
import type { Place, Scheme, WebhookRequest } from './scheme.ts'

export interface Challenge {
  /** Tells a handshake from a delivery. */
  readonly when: (request: WebhookRequest) => boolean
  /**
   * Who may have an answer: whom the signature or token proves, whoever knows the verify token, whoever brings the secret
   * that the registration waits for, anybody as long as a secret is configured, anybody.
   */
  readonly proof:
    | 'signature'
    | 'signature-if-any'
    | 'verify-token'
    | 'learned'
    | 'configured'
    | 'open'
  /** What is echoed or answered to. */
  readonly challenge?: Place
  /** What a challenge must look like; printable text where nothing is told. */
  readonly shape?: RegExp
  /** Where a vendor's first call carries the secret of all later ones. */
  readonly secret?: Place
  /** Whether that first call comes without the signature that the secret would make. */
  readonly secretIsUnsigned?: boolean
  readonly respond: (context: {
    readonly request: WebhookRequest
    readonly challenge: string
    /** The secret that was proved or learned; empty where none was. */
    readonly secret: string
  }) => { readonly answer: Answer; readonly visit?: string }
}

/** What may go into a header. */
export const WORD = /^[\x21-\x7e]+$/

/**
 * Where we answer with a MAC of the challenge under the secret that also signs deliveries, a challenge must not look like
 * anything that is ever signed, or the handshake would sign forged deliveries for whoever asks.
 */
const TOKEN = /^[\w-]{1,256}$/

/** Where Event Grid may ask us to call back: the address is of the caller's choosing. */
const eventGridHost = /^(?:[a-z0-9-]+\.)+eventgrid\.azure\.net$/

/** Every handshake under the name that schemes use. */
export const challenges: Readonly<Record<NonNullable<Scheme['challenge']>, Challenge>> = {
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
    shape: TOKEN,
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
    secretIsUnsigned: true,
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
    // It "does not aim to establish an authentication or authorization context" (CloudEvents webhooks §4), so it may come
    // without the token that deliveries need; a wrong token is refused all the same.
    proof: 'signature-if-any',
    challenge: { in: 'header', name: 'webhook-request-origin' },
    shape: WORD,
    respond: ({ challenge, secret, request }) => ({
      answer: empty(200, { 'WebHook-Allowed-Origin': challenge, 'WebHook-Allowed-Rate': '*' }),
      ...(secret === ''
        ? {}
        : visitOf({ in: 'header', name: 'webhook-request-callback' }, request)),
    }),
  },
  crc: {
    when: ({ method, url }) => method === 'GET' && queryOf(url).has('crc_token'),
    proof: 'configured',
    challenge: { in: 'query', name: 'crc_token' },
    shape: TOKEN,
    respond: ({ challenge, secret }) => ({
      answer: json({ response_token: `sha256=${hmac(secret, challenge).toString('base64')}` }),
    }),
  },
  /** Looks whether the address answers, when the webhook is made. */
  trello: {
    when: ({ method }) => method === 'HEAD',
    proof: 'open',
    respond: () => ({ answer: empty(200) }),
  },
  discord: {
    when: bodyHas(['type'], '1'),
    proof: 'signature',
    respond: () => ({ answer: json({ type: 1 }) }),
  },
}

function bodyHas(path: string[], value: string): Challenge['when'] {
  return (request) => request.method === 'POST' && valueAt({ in: 'json', path }, request) === value
}

function visitOf(place: Place, request: WebhookRequest): { readonly visit?: string } {
  const url = parseUrl(valueAt(place, request) ?? '')
  const safe = url?.protocol === 'https:' && eventGridHost.test(url.hostname) && url.username === ''
  return safe ? { visit: url.href } : {}
}

function hmac(secret: string, message: string): Buffer {
  return createHmac('sha256', secret).update(message, 'utf8').digest()
}
