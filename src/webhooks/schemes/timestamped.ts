import type { SignedScheme } from '../scheme.ts'

const TOLERANCE_SECONDS = 300

function timestampHeader(
  name: string,
  unit: 'seconds' | 'milliseconds' | 'iso' = 'seconds',
): NonNullable<SignedScheme['timestamp']> {
  return { at: { in: 'header', name }, unit, toleranceSeconds: TOLERANCE_SECONDS }
}

const hmac = {
  kind: 'signed',
  algorithm: 'hmac-sha256',
  key: { encoding: 'utf8' },
} satisfies Partial<SignedScheme>

/** `whsec_` and the base64 of 24 to 64 bytes; the MAC's key is what it decodes to. */
const standardWebhooks: SignedScheme = {
  ...hmac,
  name: 'standard-webhooks',
  key: { encoding: 'base64', prefix: 'whsec_' },
  signed: '{id}.{timestamp}.{body}',
  signature: { header: 'webhook-signature', prefix: 'v1,', encodings: ['base64'], list: ' ' },
  timestamp: timestampHeader('webhook-timestamp'),
  id: [{ in: 'header', name: 'webhook-id' }],
}

/** Timestamp and body under one signature: a captured delivery is worthless after the tolerance. */
export const timestampedSchemes = {
  /** The project's own, for new business rules: ServiceNow itself signs nothing. */
  servicenow: {
    ...hmac,
    name: 'servicenow',
    signed: '{timestamp}.{id}.{body}',
    signature: { header: 'x-snow-signature', prefix: 'sha256=', encodings: ['base64'] },
    timestamp: timestampHeader('x-snow-timestamp'),
    id: [{ in: 'header', name: 'x-snow-event-id' }],
  },
  slack: {
    ...hmac,
    name: 'slack',
    signed: 'v0:{timestamp}:{body}',
    signature: { header: 'x-slack-signature', prefix: 'v0=', encodings: ['hex'] },
    timestamp: timestampHeader('x-slack-request-timestamp'),
    id: [{ in: 'json', path: ['event_id'] }],
    challenge: 'slack',
  },
  zoom: {
    ...hmac,
    name: 'zoom',
    signed: 'v0:{timestamp}:{body}',
    signature: { header: 'x-zm-signature', prefix: 'v0=', encodings: ['hex'] },
    timestamp: timestampHeader('x-zm-request-timestamp'),
    challenge: 'zoom',
  },
  /** The key is the whole text of the secret, `whsec_` included. */
  stripe: {
    ...hmac,
    name: 'stripe',
    signed: '{timestamp}.{body}',
    signature: { header: 'stripe-signature', prefix: 'v1=', encodings: ['hex'], list: ',' },
    timestamp: {
      at: { in: 'element', prefix: 't=' },
      unit: 'seconds',
      toleranceSeconds: TOLERANCE_SECONDS,
    },
    id: [{ in: 'json', path: ['id'] }],
  },
  calendly: {
    ...hmac,
    name: 'calendly',
    signed: '{timestamp}.{body}',
    signature: {
      header: 'calendly-webhook-signature',
      prefix: 'v1=',
      encodings: ['hex'],
      list: ',',
    },
    timestamp: { at: { in: 'element', prefix: 't=' }, unit: 'seconds', toleranceSeconds: 180 },
  },
  'standard-webhooks': standardWebhooks,
  /** Ed25519; the registration's secret is the public key, `whpk_` and the base64 of 32 bytes. */
  'standard-webhooks-v1a': {
    ...standardWebhooks,
    name: 'standard-webhooks-v1a',
    algorithm: 'ed25519',
    key: { encoding: 'public-key', prefix: 'whpk_' },
    signature: { ...standardWebhooks.signature, prefix: 'v1a,' },
  },
  /** Standard Webhooks under the names of their forerunner. */
  svix: {
    ...standardWebhooks,
    name: 'svix',
    signature: { ...standardWebhooks.signature, header: 'svix-signature' },
    timestamp: timestampHeader('svix-timestamp'),
    id: [{ in: 'header', name: 'svix-id' }],
  },
  /** The timestamp is signed as the text that came; nothing stands between it and the body. */
  zendesk: {
    ...hmac,
    name: 'zendesk',
    signed: '{timestamp}{body}',
    signature: { header: 'x-zendesk-webhook-signature', encodings: ['base64'] },
    timestamp: timestampHeader('x-zendesk-webhook-signature-timestamp', 'iso'),
    id: [{ in: 'header', name: 'x-zendesk-webhook-invocation-id' }],
  },
  /** Body first. */
  bamboohr: {
    ...hmac,
    name: 'bamboohr',
    signed: '{body}{timestamp}',
    signature: { header: 'x-bamboohr-signature', encodings: ['hex'] },
    timestamp: timestampHeader('x-bamboohr-timestamp'),
  },
  front: {
    ...hmac,
    name: 'front',
    signed: '{timestamp}:{body}',
    signature: { header: 'x-front-signature', encodings: ['base64'] },
    timestamp: timestampHeader('x-front-request-timestamp', 'milliseconds'),
  },
} satisfies Record<string, SignedScheme>
