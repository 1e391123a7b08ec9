import { valuesAt } from './places.ts'
import { mayReplay } from './replay.ts'
import type { InvalidReason, SignedScheme, WebhookRequest } from './scheme.ts'

type TimestampRule = NonNullable<SignedScheme['timestamp']>

/**
 * Exact shapes: where a scheme puts nothing between timestamp and body, bytes could otherwise move from one to the other
 * under the same signature.
 */
const units: Readonly<
  Record<TimestampRule['unit'], { pattern: RegExp; read: (text: string) => number }>
> = {
  seconds: { pattern: /^[1-9]\d{9}$/, read: (text) => Number(text) * 1_000 },
  milliseconds: { pattern: /^[1-9]\d{12}$/, read: Number },
  iso: {
    pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/,
    read: Date.parse,
  },
}

export type TimestampReading =
  | { readonly text: string; readonly instant: Date }
  | { readonly problem: InvalidReason }

/** The sender's timestamp, both as written (it is signed as written) and as an instant. */
export function readTimestamp(
  rule: TimestampRule,
  request: WebhookRequest,
  elements: readonly string[],
): TimestampReading {
  const { at } = rule
  const found =
    at.in === 'element'
      ? elements.flatMap((each) =>
          each.startsWith(at.prefix) ? [each.slice(at.prefix.length)] : [],
        )
      : valuesAt(at, request)
  const [text, ...more] = found
  if (text === undefined) return { problem: 'missing_timestamp' }
  const { pattern, read } = units[rule.unit]
  const time = more.length === 0 && pattern.test(text) ? read(text) : Number.NaN
  return Number.isNaN(time) ? { problem: 'malformed_timestamp' } : { text, instant: new Date(time) }
}

/** An instant written in a rule's unit, for signing. */
export function writeTimestamp(rule: TimestampRule, instant: Date): string {
  if (rule.unit === 'iso') return instant.toISOString().replace('.000Z', 'Z')
  const ms = instant.getTime()
  return String(rule.unit === 'seconds' ? Math.floor(ms / 1_000) : ms)
}

/** Within the tolerance both ways; older only with an operator's leave to deliver this body again. */
export function isTimely(
  instant: Date,
  { now, rawBody, replay }: WebhookRequest,
  toleranceSeconds: number,
): boolean {
  const ageMs = now.getTime() - instant.getTime()
  if (Math.abs(ageMs) <= toleranceSeconds * 1_000) return true
  return ageMs > 0 && mayReplay(replay, rawBody, now)
}
