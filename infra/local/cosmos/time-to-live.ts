import { badRequest } from './errors.ts'
import type { JsonObject } from './json.ts'

const NEVER = -1
/** The largest number of seconds the service takes (2^31 - 1). */
const LONGEST_SECONDS = 2_147_483_647

/** Whether the value is -1 (never) or a positive whole number of seconds. */
export function isTimeToLive(value: unknown): value is number {
  return (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    (value === NEVER || (value > 0 && value <= LONGEST_SECONDS))
  )
}

/**
 * When the document expires (milliseconds since the epoch), counted from its `_ts`. An item's own `ttl` counts only in a
 * container whose `defaultTtl` is set. Throws 400 when it is no `ttl`.
 */
export function expiryOf(
  document: JsonObject,
  defaultSeconds: number | undefined,
): number | undefined {
  const own = document['ttl']
  if (own !== undefined && !isTimeToLive(own)) {
    throw badRequest(
      `The input ttl '${JSON.stringify(own)}' is invalid. Ensure to provide a nonzero positive integer less than or equal to ${LONGEST_SECONDS}, or -1.`,
    )
  }
  if (defaultSeconds === undefined) return undefined
  const seconds = own ?? defaultSeconds
  return seconds === NEVER ? undefined : (Number(document['_ts']) + seconds) * 1000
}
