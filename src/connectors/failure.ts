import { explain } from '../core/errors.ts'

/** What befalls a connection before anything was sent. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** A call that brought no answer: a read can be repeated as it is, anything else may have been done. */
export function readFailure(
  method: string,
  error: unknown,
): { readonly kind: 'retry' | 'lost'; readonly reason: string } {
  const reason = `it could not be reached: ${explain(error)}`
  const isHarmless = method === 'GET' || NEVER_SENT.has(codeOf(error) ?? '')
  return { kind: isHarmless ? 'retry' : 'lost', reason }
}

/** undici names the reason in the cause. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause)
}
