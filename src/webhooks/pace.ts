/** How far requests of one registration may be ahead of their pace: a vendor's burst. */
const BURST_MS = 30_000

/**
 * Lets a request in, or says in how many milliseconds one may come (generic cell rate algorithm, ITU-T I.371 annex A).
 * `due` is when the next request would be due at an even pace; 0 at the beginning.
 */
export function admit(
  due: number,
  nowMs: number,
  requestsPerMinute: number,
): { readonly due: number } | { readonly waitMs: number } {
  const intervalMs = 60_000 / requestsPerMinute
  const from = Math.max(due, nowMs)
  const waitMs = from - nowMs - Math.max(0, BURST_MS - intervalMs)
  return waitMs > 0 ? { waitMs: Math.ceil(waitMs) } : { due: from + intervalMs }
}
