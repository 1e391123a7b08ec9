import type { JwtScheme, Scheme, SignedScheme } from '../scheme.ts'
import { hmacSchemes } from './hmac.ts'

const publicKeySigned = {
  kind: 'signed',
  key: { encoding: 'public-key' },
} satisfies Partial<SignedScheme>

/** Made with the OAuth app's client secret; webhooks that an app registers by itself. */
const jiraJwt: JwtScheme = {
  kind: 'jwt',
  name: 'jira-oauth',
  at: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
  algorithm: 'HS256',
  claims: [{ claim: 'iss', setting: 'clientId', required: false }],
  clockSkewSeconds: 60,
  id: [{ in: 'header', name: 'x-atlassian-webhook-identifier' }],
}

/** Public keys (the registration's secrets are then keys) and JSON Web Tokens. */
export const asymmetricSchemes = {
  /**
   * Pub/Sub push. Anybody can have Google issue a token for our audience, so the service account's address is
   * demanded as well.
   */
  'google-pubsub': {
    kind: 'jwt',
    name: 'google-pubsub',
    at: { in: 'header', name: 'authorization', prefix: 'Bearer ' },
    algorithm: 'RS256',
    issuers: ['https://accounts.google.com', 'accounts.google.com'],
    fixedClaims: { email_verified: true },
    claims: [
      { claim: 'aud', setting: 'audience', required: true },
      { claim: 'email', setting: 'email', required: true },
    ],
    clockSkewSeconds: 60,
    id: [{ in: 'json', path: ['message', 'messageId'] }],
  },
  /** The project's own: a header that no Google product sends. */
  'google-iam-rsa': {
    ...publicKeySigned,
    name: 'google-iam-rsa',
    algorithm: 'rsa-sha256',
    signed: '{body}',
    signature: { header: 'x-goog-iam-authorization', encodings: ['base64'] },
  },
  /** Notifications with resource data carry tokens of the change notification service (its id is the `azp`). */
  'microsoft-graph-rich': {
    kind: 'jwt',
    name: 'microsoft-graph-rich',
    at: { in: 'json', path: ['validationTokens', '*'] },
    algorithm: 'RS256',
    fixedClaims: { azp: '0bf30f3b-4a52-48df-9a82-234910c4a086' },
    claims: [
      { claim: 'aud', setting: 'audience', required: true },
      { claim: 'iss', setting: 'issuer', required: false },
    ],
    clockSkewSeconds: 300,
    challenge: 'graph',
  },
  'jira-oauth': jiraJwt,
  /** Sources differ on what Jira sends: the signature of administrators' webhooks, or an app's token. */
  jira: {
    kind: 'choice',
    name: 'jira',
    of: [
      { when: { header: 'x-hub-signature' }, scheme: hmacSchemes['jira-admin'] },
      { when: { header: 'authorization' }, scheme: jiraJwt },
    ],
  },
  sendgrid: {
    ...publicKeySigned,
    name: 'sendgrid',
    algorithm: 'ecdsa-sha256',
    signed: '{timestamp}{body}',
    signature: { header: 'x-twilio-email-event-webhook-signature', encodings: ['base64'] },
    timestamp: {
      at: { in: 'header', name: 'x-twilio-email-event-webhook-timestamp' },
      unit: 'seconds',
      toleranceSeconds: 300,
    },
  },
  discord: {
    ...publicKeySigned,
    name: 'discord',
    algorithm: 'ed25519',
    signed: '{timestamp}{body}',
    signature: { header: 'x-signature-ed25519', encodings: ['hex'] },
    timestamp: {
      at: { in: 'header', name: 'x-signature-timestamp' },
      unit: 'seconds',
      toleranceSeconds: 300,
    },
    id: [{ in: 'json', path: ['id'] }],
    challenge: 'discord',
  },
  highlevel: {
    ...publicKeySigned,
    name: 'highlevel',
    algorithm: 'rsa-sha256',
    signed: '{body}',
    signature: { header: 'x-wh-signature', encodings: ['base64'] },
  },
} satisfies Record<string, Scheme>
