import { z } from 'zod'
import type { LocalResponse } from '../../http-server.ts'
import { failure, type Failure } from './answers.ts'
import { sysIdOf } from './values.ts'

/** A row of `sys_rate_limit_rules`: so many requests per hour to one resource (facts A2, Rate limits). */
export const rateRuleShape = z.strictObject({
  requestsPerHour: z.int().positive(),
  /** A regular expression over operations like `GET /api/now/table/incident`. Default: the whole Table API. */
  resource: z.string().optional(),
  /** A rule for one user beats a rule for a role, which beats a rule for all. */
  appliesTo: z.enum(['user', 'role', 'all']).optional(),
})
export type RateRule = z.infer<typeof rateRuleShape>

interface Counted {
  readonly rule: RateRule
  readonly id: string
  readonly pattern: RegExp
  hour: number
  count: number
}

export interface RateVerdict {
  readonly headers: Readonly<Record<string, string>>
  readonly refusal?: LocalResponse
}

const HOUR_MS = 3_600_000
const PRECEDENCE = ['user', 'role', 'all'] as const

/** Counts requests by the clock's hour. Every matching answer tells limit, reset and rule; never what remains. */
export class RateRules {
  readonly #rules: Counted[] = []

  add(rule: RateRule): void {
    const id = sysIdOf('sys_rate_limit_rules', String(this.#rules.length))
    const pattern = new RegExp(rule.resource ?? '/api/now/(v\\d/)?table')
    this.#rules.push({ rule, id, pattern, hour: 0, count: 0 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  count(operation: string, nowMs: number): RateVerdict {
    const counted = this.#ruleFor(operation)
    if (!counted) return { headers: {} }
    const hour = Math.floor(nowMs / HOUR_MS)
    if (counted.hour !== hour) Object.assign(counted, { hour, count: 0 })
    counted.count += 1
    const { requestsPerHour } = counted.rule
    const resetMs = (hour + 1) * HOUR_MS
    const headers = ruleHeaders({ limit: requestsPerHour, resetMs, id: counted.id })
    if (counted.count <= requestsPerHour) return { headers }
    return { headers, refusal: throttled({ limit: requestsPerHour, resetMs, nowMs }) }
  }

  /** Of several rules of the same kind the lowest limit wins. */
  #ruleFor(operation: string): Counted | undefined {
    const matching = this.#rules.filter(({ pattern }) => pattern.test(operation))
    for (const kind of PRECEDENCE) {
      const [lowest] = matching
        .filter(({ rule }) => (rule.appliesTo ?? 'all') === kind)
        .sort((a, b) => a.rule.requestsPerHour - b.rule.requestsPerHour)
      if (lowest) return lowest
    }
    return undefined
  }
}

export function ruleHeaders(rule: {
  readonly limit: number
  readonly resetMs: number
  readonly id: string
}): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(rule.limit),
    'X-RateLimit-Reset': String(Math.ceil(rule.resetMs / 1000)),
    'X-RateLimit-Rule': rule.id,
  }
}

export function throttled(at: {
  readonly limit: number
  readonly resetMs: number
  readonly nowMs: number
}): Failure {
  const { headers, ...refusal } = failure(
    429,
    'Rate limit exceeded',
    `Rate limit of ${at.limit} requests per hour for the resource exceeded`,
  )
  const seconds = Math.max(1, Math.ceil((at.resetMs - at.nowMs) / 1000))
  return { ...refusal, headers: { ...headers, 'Retry-After': String(seconds) } }
}
