import type { SignedScheme } from '../scheme.ts'

/** Schemes that sign the body alone; what protects against replay is remembering the delivery's id. */
export const hmacSchemes = {
  /** The project's own: what the business rule that we ship writes. */
  'servicenow-business-rule': {
    kind: 'signed',
    name: 'servicenow-business-rule',
    algorithm: 'hmac-sha256',
    key: { encoding: 'utf8' },
    signed: '{body}',
    signature: { header: 'x-servicenow-signature', prefix: '', encodings: ['hex'] },
  },
} satisfies Record<string, SignedScheme>
