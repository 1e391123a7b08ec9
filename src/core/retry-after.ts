/** No vendor's word makes us wait longer than an hour, nor less than a second. */
const MAX_WAIT_MS = 3_600_000
const MIN_WAIT_MS = 1_000

/** A wait that somebody else named, within reason. */
export function withinReason(ms: number): number {
  return Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, ms))
}

/** `Retry-After` in milliseconds: delay seconds or an HTTP date (RFC 9110 §10.2.3); undefined when it is neither. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - now.getTime() : seconds * 1_000
  return Number.isNaN(ms) ? undefined : withinReason(ms)
}
