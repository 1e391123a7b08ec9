import { z } from 'zod'

/** What the vault holds for a connection's credential, as JSON text. */
export const secretShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('refresh_token'),
    refreshToken: z.string().min(1),
    clientId: z.string().min(1).optional(),
    clientSecret: z.string().min(1).optional(),
  }),
  z.object({
    kind: z.literal('client_credentials'),
    clientId: z.string().min(1).optional(),
    clientSecret: z.string().min(1).optional(),
  }),
  z.object({ kind: z.literal('basic'), username: z.string().min(1), password: z.string() }),
  z.object({
    kind: z.literal('api_key'),
    header: z.string().regex(/^[a-z0-9-]+$/i),
    key: z.string().min(1),
  }),
])
export type Secret = z.infer<typeof secretShape>

/** Name of a credential's secret. Ids are ours and hold letters, digits and dashes: no two give one name. */
export function secretName(credentialId: string): string {
  return `credential-${credentialId}`
}
