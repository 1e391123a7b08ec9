/** Every code that a caller, an operator or a query on the logs may see. Listed once, never renamed. */
export const errorCodes = [
  'bad_request',
  'blob_unavailable',
  'body_too_large',
  'conflict',
  'connection_not_found',
  'credential_not_found',
  'dead_lettered',
  'deletes_held',
  'delivery_not_found',
  'forbidden',
  'internal',
  'invalid_signature',
  'issuer_unavailable',
  'limits_unavailable',
  'mapping_failed',
  'not_found',
  'queue_unavailable',
  'rate_limited',
  'realtime_unavailable',
  'reauth_required',
  'registration_not_found',
  'session_not_found',
  'settings_invalid',
  'store_unavailable',
  'stream_stalled',
  'token_refresh_failed',
  'unauthenticated',
  'unknown_vendor',
  'vault_unavailable',
  'vendor_failed',
  'vendor_ignored_filter',
  'vendor_unexpected_answer',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Says that the work cannot continue, and why: what was expected, what came, which thing. Never a secret or a body. */
export class AppError extends Error {
  readonly code: ErrorCode
  /** After how many milliseconds it may work, where somebody knows. */
  readonly afterMs: number | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly afterMs?: number },
  ) {
    super(message, options)
    this.name = 'AppError'
    this.code = code
    this.afterMs = options?.afterMs
  }
}

/** Somebody asks too often. */
export function rateLimited(afterMs: number): AppError {
  const seconds = Math.max(1, Math.ceil(afterMs / 1_000))
  return new AppError('rate_limited', `too many requests; try again in ${seconds} s`, { afterMs })
}

/** The stable code of anything thrown; `internal` for what nobody expected. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'internal'
}

/** The message with the messages of its causes, for a log line. */
export function explain(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 5;) {
    parts.push(at instanceof Error ? at.message : JSON.stringify(at))
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(': ')
}
