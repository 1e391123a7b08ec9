import type { Lesson } from '../../../src/rate-limit/learned.ts'
import type { Limiter, LimiterPorts } from '../../../src/rate-limit/limiter.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface LimitsBug {
  readonly what: string
  readonly ports?: (ports: LimiterPorts) => LimiterPorts
  readonly limiter?: (limiter: Limiter, ports: LimiterPorts) => Limiter
  /** Windows are counted by the clock of whoever asks. */
  readonly clientTime?: true
}

const HOUR_MS = 3_600_000

/** Something else is learned of an answer. */
const learning =
  (change: (lesson: Lesson) => Lesson): NonNullable<LimitsBug['ports']> =>
  ({ shared, ...ports }) => ({
    ...ports,
    shared: shared && {
      ...shared,
      learn: ({ lesson, ...rest }) => shared.learn({ ...rest, lesson: change(lesson) }),
    },
  })

export const limitsBugs: Readonly<Record<string, LimitsBug>> = {
  'each-alone': {
    what: 'each instance has the whole quota for itself',
    ports: (ports) => ({ ...ports, shared: undefined }),
  },
  'whole-when-away': {
    what: 'while the shared store is away each instance allows itself the whole quota',
    ports: (ports) => ({ ...ports, partAlone: 1 }),
  },
  'open-when-away': {
    what: 'while the shared store is away everything is allowed',
    ports: ({ shared, ...ports }) => ({
      ...ports,
      shared: shared && {
        ...shared,
        take: (take) => shared.take(take).catch(() => ({ kind: 'allowed', delayMs: 0 })),
      },
    }),
  },
  'refusal-forgotten': {
    what: 'what a refused caller was told is not kept: a place in the quota is taken all the same',
    ports: ({ shared, ...ports }) => ({
      ...ports,
      shared: shared && {
        ...shared,
        take: async (take) => {
          const verdict = await shared.take(take)
          return verdict.kind === 'wait' && verdict.waitMs > 2_000
            ? { kind: 'allowed', delayMs: 0 }
            : verdict
        },
      },
    }),
  },
  'shared-pause-ignored': {
    what: 'that the provider asked to wait is known to the instance that heard it only',
    ports: ({ shared, ...ports }) => ({
      ...ports,
      overrides: loose(ports.overrides),
      shared: shared && { ...shared, learn: async () => {} },
    }),
  },
  'one-crowd': {
    what: 'tenants are not told apart: whoever asks most gets most',
    ports: ({ shared, ...ports }) => ({
      ...ports,
      shared: shared && { ...shared, take: (take) => shared.take({ ...take, tenant: '' }) },
    }),
  },
  'sleeps-it-out': {
    what: 'a function sleeps until its turn instead of coming back',
    limiter: (limiter, { sleep }) => ({
      ...limiter,
      checkRateLimit: async (call) => {
        for (;;) {
          const decision = await limiter.checkRateLimit(call)
          if (decision.kind === 'allowed') return decision
          await sleep(decision.waitMs)
        }
      },
    }),
  },
  'day-believed': {
    what: 'a provider that says to wait for a day is believed',
    ports: learning((learned) =>
      (learned.pauseMs ?? 0) >= HOUR_MS ? { ...learned, pauseMs: 24 * HOUR_MS } : learned,
    ),
  },
  'unnamed-ignored': {
    what: 'a refusal that names no time, or one that is over, is no reason to wait',
    ports: learning((learned) =>
      learned.pauseMs === undefined ? { ...learned, refused: false } : learned,
    ),
  },
  'dates-by-own-clock': {
    what: 'the dates of a provider are counted from what our own clock shows',
    limiter: (limiter) => ({
      ...limiter,
      learnFrom: (call, answer) => {
        const get = (name: string) => (name === 'date' ? null : answer.headers.get(name))
        return limiter.learnFrom(call, { ...answer, headers: { get } })
      },
    }),
  },
  'one-lane': {
    what: 'a backfill may use up the day before people have written',
    limiter: (limiter) => ({
      ...limiter,
      checkRateLimit: (call) => limiter.checkRateLimit({ ...call, lane: 'person' }),
    }),
  },
  'client-time': {
    what: 'windows are counted by the clock of whoever asks',
    clientTime: true,
  },
}

/** The quota is thought to be larger than it is. */
function loose({ integrations, ...rest }: LimiterPorts['overrides']): LimiterPorts['overrides'] {
  const more = Object.entries(integrations).map(([name, limits]) => {
    const most = 2 * (limits.integration ?? 0)
    const operations = { fetch: most, update: most, create: most }
    return [name, { ...limits, integration: most, connection: most, operations }] as const
  })
  return { ...rest, integrations: Object.fromEntries(more) }
}
