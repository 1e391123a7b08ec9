import type { Clock } from '../core/time.ts'

export interface Probe {
  /** The name in the answer, like `keyVault`. */
  readonly service: string
  /** Without it no work can be done; without the others some things wait. */
  readonly essential: boolean
  readonly ping: (signal: AbortSignal) => Promise<unknown>
}

export interface Health {
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly timestamp: string
  readonly version: string
  readonly services: Readonly<Record<string, 'up' | 'down'>>
}

const PATIENCE_MS = 5_000
/** Probes come often and from anywhere: one answer serves them for so long. */
const FRESH_MS = 2_000

/** Really asks every service; callers at the same time share one round of questions. */
export function healthCheck(
  probes: readonly Probe[],
  version: string,
  clock: Clock,
): () => Promise<Health> {
  let last: { readonly askedAt: number; readonly answer: Promise<Health> } | undefined
  return () => {
    const now = clock()
    if (!last || now.getTime() - last.askedAt >= FRESH_MS) {
      last = { askedAt: now.getTime(), answer: ask(probes, version, now) }
    }
    return last.answer
  }
}

async function ask(probes: readonly Probe[], version: string, now: Date): Promise<Health> {
  const up = await Promise.all(probes.map(isUp))
  const down = probes.filter((_, index) => up[index] !== true)
  return {
    status: statusOf(down),
    timestamp: now.toISOString(),
    version,
    services: Object.fromEntries(
      probes.map(({ service }, index) => [service, up[index] ? 'up' : 'down']),
    ),
  }
}

function statusOf(down: readonly Probe[]): Health['status'] {
  if (down.length === 0) return 'healthy'
  return down.some(({ essential }) => essential) ? 'unhealthy' : 'degraded'
}

async function isUp({ ping }: Probe): Promise<boolean> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const outOfPatience = new Promise<boolean>((resolve) => {
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
  const answered = Promise.resolve(ping(signal)).then(
    () => true,
    () => false,
  )
  return Promise.race([answered, outOfPatience])
}
