import { createHash } from 'node:crypto'
import { z } from 'zod'

/** The token that was obtained last, beside the grant it came from: one version of a secret holds the pair. */
const pairFields = {
  accessToken: z.string().min(1).optional(),
  expiresAt: z.iso.datetime().optional(),
  /** The instance that the provider named with it. */
  instanceUrl: z.string().min(1).optional(),
  /** Our clock just before the provider was asked. */
  obtainedAt: z.iso.datetime().optional(),
  /** The version whose grant was used to get this one. */
  from: z.string().optional(),
  /** Whether the provider's last answer brought another refresh token. */
  rotates: z.boolean().optional(),
}
/** A registration of the tenant's own with the vendor; ours where it is absent. */
const clientFields = {
  clientId: z.string().min(1).optional(),
  clientSecret: z.string().min(1).optional(),
}

/** What the vault holds for a credential, as JSON text. */
export const secretShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('refresh_token'),
    refreshToken: z.string().min(1),
    ...clientFields,
    ...pairFields,
  }),
  z.object({ kind: z.literal('client_credentials'), ...clientFields, ...pairFields }),
  z.object({
    kind: z.literal('jwt_bearer'),
    /** PKCS #8, PEM. */
    privateKey: z.string().startsWith('-----BEGIN'),
    keyId: z.string().min(1).optional(),
    algorithm: z.enum(['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512']).default('RS256'),
    subject: z.string().min(1),
    /** The provider's rule where absent. */
    audience: z.string().min(1).optional(),
    ...clientFields,
    ...pairFields,
  }),
  z.object({ kind: z.literal('basic'), username: z.string().min(1), password: z.string() }),
  z.object({
    kind: z.literal('api_key'),
    header: z.string().regex(/^[a-z0-9-]+$/i),
    key: z.string().min(1),
  }),
])
export type Secret = z.infer<typeof secretShape>
export type OAuthSecret = Extract<
  Secret,
  { kind: 'refresh_token' | 'client_credentials' | 'jwt_bearer' }
>
export type RefreshSecret = Extract<Secret, { kind: 'refresh_token' }>

/** A secret in the version that was read. */
export interface VersionedSecret<S = Secret> {
  readonly secret: S
  readonly version: string
}

export function parseSecret(text: string): Secret | undefined {
  try {
    return secretShape.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Name of a credential's secret. Ids are ours and hold letters, digits and dashes: no two give one name. */
export function secretName(credentialId: string): string {
  return `credential-${credentialId}`
}

/**
 * Id of the credential of one person's phones at one instance. Made of a hash over tenant, person and origin, each with
 * its length: no two of them share one, whatever dots and dashes they hold.
 */
export function deviceCredentialId(of: {
  readonly tenantId: string
  readonly userSysId: string
  readonly origin: string
}): string {
  const text = [of.tenantId, of.userSysId, of.origin]
    .map((part) => `${part.length}:${part}`)
    .join(',')
  return `device-${createHash('sha256').update(text).digest('hex').slice(0, 40)}`
}

/** The instance's host with dots turned to dashes: part of the names of older secrets. */
export function instanceHash(origin: string): string {
  return new URL(origin).hostname.replaceAll('.', '-')
}

/**
 * Name under which older versions kept a phone's refresh token; undefined where it could as well be that of another
 * person or host: a person's id with dashes runs into the host, and `acme-service.now.com` reads as
 * `acme.service-now.com`.
 */
export function olderSecretName(userSysId: string, origin: string): string | undefined {
  const hash = instanceHash(origin)
  if (!/^[A-Za-z0-9]+$/.test(userSysId) || !/^[a-z0-9-]+$/.test(hash)) return undefined
  const looksOfficial = hash.endsWith('-service-now-com')
  const isOfficial = /^[a-z0-9-]+\.service-now\.com$/.test(new URL(origin).hostname)
  if (looksOfficial && !isOfficial) return undefined
  const name = `refresh-token-${userSysId}-${hash}`
  return name.length <= MAX_NAME_LENGTH ? name : undefined
}

/** Key Vault's limit. */
const MAX_NAME_LENGTH = 127
