import type { HttpSignatureScheme, LeafScheme, Scheme, SignedScheme } from '../scheme.ts'

const TOLERANCE_SECONDS = 300

const signed = { kind: 'signed', key: { encoding: 'utf8' } } satisfies Partial<SignedScheme>

const hubspotV1: SignedScheme = {
  ...signed,
  name: 'hubspot-v1',
  algorithm: 'sha256',
  signed: '{secret}{body}',
  signature: { header: 'x-hubspot-signature', encodings: ['hex'] },
}

const hubspotV2: SignedScheme = {
  ...hubspotV1,
  name: 'hubspot-v2',
  signed: '{secret}{method}{url}{body}',
}

const hubspotV3: SignedScheme = {
  ...signed,
  name: 'hubspot-v3',
  algorithm: 'hmac-sha256',
  signed: '{method}{url}{body}{timestamp}',
  signature: { header: 'x-hubspot-signature-v3', encodings: ['base64'] },
  timestamp: {
    at: { in: 'header', name: 'x-hubspot-request-timestamp' },
    unit: 'milliseconds',
    toleranceSeconds: TOLERANCE_SECONDS,
  },
  forms: ['hubspot-url'],
}

/** What a signature must cover to say anything about a webhook: which call it is, and its body. */
const httpSignature = {
  kind: 'http-signature',
  style: 'rfc9421',
  covers: ['@method', '@target-uri', 'content-digest'],
  toleranceSeconds: TOLERANCE_SECONDS,
} satisfies Partial<HttpSignatureScheme>

const cavage = {
  kind: 'http-signature',
  style: 'cavage',
  covers: ['(request-target)', 'date', 'digest'],
  toleranceSeconds: TOLERANCE_SECONDS,
} satisfies Partial<HttpSignatureScheme>

/** More than the body is signed: the method, the URL, headers. The URL is the configured public one. */
export const requestSchemes = {
  'hubspot-v1': hubspotV1,
  'hubspot-v2': hubspotV2,
  'hubspot-v3': hubspotV3,
  /** The strongest of the versions that came; v1 and v2 share a header and are told apart by another. */
  hubspot: {
    kind: 'choice',
    name: 'hubspot',
    of: [
      { when: { header: 'x-hubspot-signature-v3' }, scheme: hubspotV3 },
      { when: { header: 'x-hubspot-signature-version', equals: 'v2' }, scheme: hubspotV2 },
      { when: { header: 'x-hubspot-signature-version', equals: 'v1' }, scheme: hubspotV1 },
    ],
  },
  twilio: {
    ...signed,
    name: 'twilio',
    algorithm: 'hmac-sha1',
    signed: '{url}{form}',
    signature: { header: 'x-twilio-signature', encodings: ['base64'] },
    forms: ['twilio-url'],
    bodyHashQuery: 'bodySHA256',
    id: [{ in: 'header', name: 'i-twilio-idempotency-token' }],
  },
  mandrill: {
    ...signed,
    name: 'mandrill',
    algorithm: 'hmac-sha1',
    signed: '{url}{form}',
    signature: { header: 'x-mandrill-signature', encodings: ['base64'] },
  },
  trello: {
    ...signed,
    name: 'trello',
    algorithm: 'hmac-sha1',
    signed: '{body}{url}',
    signature: { header: 'x-trello-webhook', encodings: ['base64'] },
    challenge: 'trello',
  },
  square: {
    ...signed,
    name: 'square',
    algorithm: 'hmac-sha256',
    signed: '{url}{body}',
    signature: { header: 'x-square-hmacsha256-signature', encodings: ['base64'] },
    id: [{ in: 'json', path: ['event_id'] }],
  },
  'http-signature-hmac': {
    ...httpSignature,
    name: 'http-signature-hmac',
    algorithm: 'hmac-sha256',
    key: { encoding: 'base64' },
  },
  'http-signature-ed25519': {
    ...httpSignature,
    name: 'http-signature-ed25519',
    algorithm: 'ed25519',
    key: { encoding: 'public-key' },
  },
  'http-signature-rsa': {
    ...httpSignature,
    name: 'http-signature-rsa',
    algorithm: 'rsa-sha256',
    key: { encoding: 'public-key' },
  },
  'cavage-rsa': {
    ...cavage,
    name: 'cavage-rsa',
    algorithm: 'rsa-sha256',
    key: { encoding: 'public-key' },
  },
  'cavage-hmac': {
    ...cavage,
    name: 'cavage-hmac',
    algorithm: 'hmac-sha256',
    key: { encoding: 'utf8' },
  },
} satisfies Record<string, LeafScheme | Scheme>
