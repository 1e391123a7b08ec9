import { createHash } from 'node:crypto'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** JSON text with object keys in code unit order, so that equal values give equal texts (RFC 8785 for our value range). */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${fields.join(',')}}`
}

/** SHA-256 of the canonical text, base64url. Equal values have equal hashes; nothing else does in practice. */
export function hashOf(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url')
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
