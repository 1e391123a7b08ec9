/** Limits of the service (Microsoft Learn, "Azure Key Vault service limits" and "About Key Vault secrets"). */
export const LIMITS = {
  valueBytes: 25 * 1024,
  nameLength: 127,
  contentTypeLength: 255,
  tags: 15,
  tagLength: 512,
  pageSize: 25,
  throttleWindowMs: 10_000,
  /** Requests in a window by kind. */
  createRequests: 300,
  otherRequests: 4_000,
} as const

export type RequestKind = 'create' | 'other'

export interface Window {
  readonly startedAt: number
  readonly used: Readonly<Record<RequestKind, number>>
}

/** Admits a request or says after how many seconds to come again. Windows are fixed, as the service's seem to be. */
export function admit(
  window: Window | undefined,
  kind: RequestKind,
  now: number,
): { readonly window: Window; readonly retryAfterSeconds?: number } {
  const over = !window || now >= window.startedAt + LIMITS.throttleWindowMs
  const current = over ? { startedAt: now, used: { create: 0, other: 0 } } : window
  const limit = kind === 'create' ? LIMITS.createRequests : LIMITS.otherRequests
  if (current.used[kind] >= limit) {
    const leftMs = current.startedAt + LIMITS.throttleWindowMs - now
    return { window: current, retryAfterSeconds: Math.ceil(leftMs / 1000) }
  }
  const used = { ...current.used, [kind]: current.used[kind] + 1 }
  return { window: { ...current, used } }
}
