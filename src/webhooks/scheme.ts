import type { JsonWebKey } from 'node:crypto'
import { z } from 'zod'
import type { ReplayLeave } from './replay.ts'

/** Header names are matched in lower case, as the host hands them over. */
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,100}$/)
  .toLowerCase()
const shortText = z.string().min(1).max(200)

/** Where in a request a value stands. `json` paths may hold `*`: every element of that list. */
const placeSchema = z.discriminatedUnion('in', [
  z.strictObject({ in: z.literal('header'), name: headerName, prefix: shortText.optional() }),
  /** `user:password` of HTTP Basic (RFC 7617). */
  z.strictObject({ in: z.literal('basic') }),
  z.strictObject({ in: z.literal('query'), name: shortText }),
  z.strictObject({ in: z.literal('json'), path: z.array(shortText).min(1).max(8) }),
  z.strictObject({
    in: z.literal('xml'),
    element: z.string().regex(/^\w+$/),
    parent: z.string().regex(/^\w+$/).optional(),
  }),
])

/** Handshakes that a vendor makes before or between deliveries. */
const challengeNames = [
  'slack',
  'graph',
  'meta',
  'zoom',
  'notion',
  'asana',
  'google-channel',
  'event-grid',
  'cloudevents',
  'crc',
  'trello',
  'discord',
] as const

const encodingSchema = z.enum(['hex', 'hex-any-case', 'base64', 'base64url'])

const signatureSchema = z.strictObject({
  header: headerName,
  /** Exact text before each signature; in a list, what does not begin with it is another version and is ignored. */
  prefix: z.string().max(50).optional(),
  /** More than one when the vendor's senders differ; their lengths tell them apart. */
  encodings: z.array(encodingSchema).min(1),
  /** Separator, where the header may hold several signatures. */
  list: z.enum([',', ' ']).optional(),
})

const timestampSchema = z.strictObject({
  /** `element`: a member of the signature's own list, such as Stripe's `t=`. */
  at: z.union([placeSchema, z.strictObject({ in: z.literal('element'), prefix: shortText })]),
  unit: z.enum(['seconds', 'milliseconds', 'iso']),
  /** Both ways. */
  toleranceSeconds: z.number().int().positive().max(86_400),
})

const keySchema = z.strictObject({
  /** `public-key`: PEM, base64 SPKI or, for Ed25519, the 32 bytes in hex or base64. */
  encoding: z.enum(['utf8', 'base64', 'hex', 'public-key']),
  /** Stripped from the secret before decoding. */
  prefix: shortText.optional(),
})

const shared = {
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,60}$/),
  /** What makes a delivery the same delivery; the parts are joined by `:`. */
  id: z.array(placeSchema).min(1).max(4).optional(),
  challenge: z.enum(challengeNames).optional(),
  acknowledgement: z.enum(['salesforce-soap', 'empty']).optional(),
}

const signedSchema = z.strictObject({
  kind: z.literal('signed'),
  ...shared,
  algorithm: z.enum([
    'hmac-sha256',
    'hmac-sha1',
    'hmac-sha512',
    'sha256',
    'rsa-sha256',
    'rsa-pss-sha512',
    'ecdsa-sha256',
    'ecdsa-sha256-raw',
    'ed25519',
  ]),
  key: keySchema,
  /** Template over {body} {timestamp} {id} {method} {url} {form} {secret}; the rest is literal. */
  signed: z.string().min(1).max(500),
  signature: signatureSchema,
  timestamp: timestampSchema.optional(),
  /** A moment inside the signed body: where it stands there, it must be recent. */
  bodyTimestamp: timestampSchema.optional(),
  /** Ways of writing the body or the URL that the vendor's own library tries beside the one received. */
  forms: z.array(z.enum(['escaped-body', 'twilio-url', 'hubspot-url'])).optional(),
  /** Query parameter with the hex SHA-256 of a body that is not itself signed. */
  bodyHashQuery: shortText.optional(),
})

/** What the registration expects of a value that the sender tells: an audience, an organization. */
const bindingSchema = z.strictObject({
  at: placeSchema,
  setting: shortText,
})

const tokenSchema = z.strictObject({
  kind: z.literal('token'),
  ...shared,
  /** The first place that holds something counts; a `json` place with `*` must match everywhere. */
  at: z.array(placeSchema).min(1).max(4),
  bindings: z.array(bindingSchema).optional(),
})

const claimSchema = z.strictObject({
  claim: shortText,
  /** The registration's setting that it must equal; without the setting a required claim refuses everything. */
  setting: shortText,
  required: z.boolean(),
})

const jwtSchema = z.strictObject({
  kind: z.literal('jwt'),
  ...shared,
  at: placeSchema,
  algorithm: z.enum(['RS256', 'ES256', 'HS256']),
  issuers: z.array(shortText).optional(),
  fixedClaims: z.record(shortText, z.union([z.string(), z.boolean()])).optional(),
  claims: z.array(claimSchema),
  clockSkewSeconds: z.number().int().min(0).max(3_600),
})

const httpSignatureSchema = z.strictObject({
  kind: z.literal('http-signature'),
  ...shared,
  style: z.enum(['rfc9421', 'cavage']),
  algorithm: z.enum(['hmac-sha256', 'rsa-sha256', 'rsa-pss-sha512', 'ecdsa-sha256-raw', 'ed25519']),
  key: keySchema,
  /** Components that a signature must cover to count. */
  covers: z.array(shortText),
  toleranceSeconds: z.number().int().positive().max(86_400),
})

const leafSchema = z.discriminatedUnion('kind', [
  signedSchema,
  tokenSchema,
  jwtSchema,
  httpSignatureSchema,
])

/** Where a vendor has several schemes at once: the first whose header is there (and, where told, has that value). */
const choiceSchema = z.strictObject({
  kind: z.literal('choice'),
  ...shared,
  of: z
    .array(
      z.strictObject({
        when: z.strictObject({ header: headerName, equals: shortText.optional() }),
        scheme: leafSchema,
      }),
    )
    .min(1),
})

/** One entry of the table; also the form of a scheme that is set by configuration. */
export const schemeSchema = z.discriminatedUnion('kind', [...leafSchema.options, choiceSchema])

export type Place = z.output<typeof placeSchema>
export type Encoding = z.output<typeof encodingSchema>
export type KeyFormat = z.output<typeof keySchema>
export type SignedScheme = z.output<typeof signedSchema>
export type TokenScheme = z.output<typeof tokenSchema>
export type JwtScheme = z.output<typeof jwtSchema>
export type HttpSignatureScheme = z.output<typeof httpSignatureSchema>
export type LeafScheme = z.output<typeof leafSchema>
export type Scheme = z.output<typeof schemeSchema>
export type SignatureAlgorithm = SignedScheme['algorithm']

/** A public key of a key set (RFC 7517) with its id. */
export type VerificationKey = JsonWebKey & { readonly kid?: string }

export interface WebhookRequest {
  readonly method: string
  /** The public URL as the sender called it, from configuration; never made of the Host header. */
  readonly url: string
  /** Lower-case names; a header that came twice has its values joined by ', '. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The bytes as they came, before any parsing. */
  readonly rawBody: Uint8Array
  readonly now: Date
  /** Every secret that is in force: shared secrets, tokens or public keys, as the scheme says. */
  readonly secrets: readonly string[]
  /** The issuer's key set, for schemes with JWTs. */
  readonly keys?: readonly VerificationKey[]
  /** What this registration expects of senders: `audience`, `email`, `verifyToken`, `organizationId`, … */
  readonly expected?: Readonly<Record<string, string>>
  /** An operator's leave to take this body again although it is old. */
  readonly replay?: ReplayLeave
}

export type InvalidReason =
  | 'missing_signature'
  | 'malformed_signature'
  | 'signature_mismatch'
  | 'missing_timestamp'
  | 'malformed_timestamp'
  | 'timestamp_out_of_tolerance'
  | 'missing_id'
  | 'malformed_body'
  | 'body_digest_mismatch'
  | 'component_not_covered'
  | 'claim_mismatch'
  | 'token_expired'
  | 'expectation_not_configured'
  | 'unknown_key'
  | 'no_usable_secret'

/**
 * `secretIndex` is the place in `secrets` (for key sets: in `keys`) of the one that matched. `form` tells that another
 * way of writing the message matched than the one received.
 */
export type Verdict =
  | {
      readonly valid: true
      readonly secretIndex: number
      readonly deliveryId?: string
      readonly timestamp?: Date
      readonly form?: string
    }
  | { readonly valid: false; readonly reason: InvalidReason }

export function invalid(reason: InvalidReason): Verdict {
  return { valid: false, reason }
}
