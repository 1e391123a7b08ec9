/** 100 nanoseconds, counted from the Unix epoch: exact only as a bigint. */
export type Ticks = bigint

export const TICKS_PER_MILLISECOND = 10_000n
const TICKS_PER_SECOND = 10_000_000n

const FORMAT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?(Z|[+-]\d\d:\d\d)?$/

/** Year, month (from 1), day, hour, minute, second, ticks within the second. */
export type Parts = readonly [number, number, number, number, number, number, number]

/** Reads an ISO 8601 date and time; undefined unless it is one. Without a zone it is UTC. */
export function parseMoment(text: unknown): Ticks | undefined {
  const found = typeof text === 'string' ? FORMAT.exec(text) : null
  if (found === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] =
    found
  const ticks = fromParts([
    Number(year),
    Number(month),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.padEnd(7, '0')),
  ])
  return ticks === undefined ? undefined : ticks - zoneTicks(zone)
}

function zoneTicks(zone: string): Ticks {
  if (zone === 'Z') return 0n
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))
  return BigInt(zone.startsWith('-') ? -minutes : minutes) * 60n * TICKS_PER_SECOND
}

/** The moment that the parts name; undefined if the calendar has none. */
export function fromParts([year, month, day, hour, minute, second, fraction]: Parts):
  | Ticks
  | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const ticks = BigInt(date.getTime()) * TICKS_PER_MILLISECOND + BigInt(fraction)
  const named = [year, month, day, hour, minute, second, fraction]
  return toParts(ticks).every((part, index) => part === named[index]) ? ticks : undefined
}

export function toParts(ticks: Ticks): Parts {
  const date = new Date(milliseconds(ticks))
  return [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    Number(ticks - floorTo(ticks, TICKS_PER_SECOND)),
  ]
}

/** Whole milliseconds since the epoch. */
export function milliseconds(ticks: Ticks): number {
  return Number(floorTo(ticks, TICKS_PER_MILLISECOND) / TICKS_PER_MILLISECOND)
}

/** The multiple of `size` at or before the value. */
export function floorTo(value: bigint, size: bigint): bigint {
  const rest = value % size
  return value - (rest < 0n ? rest + size : rest)
}

/** YYYY-MM-DDThh:mm:ss.fffffffZ; undefined outside the years 1 to 9999. */
export function formatMoment(ticks: Ticks): string | undefined {
  const [year, month, day, hour, minute, second, fraction] = toParts(ticks)
  // Date answers NaN beyond its range, which is no year either.
  if (!(year >= 1 && year <= 9999)) return undefined
  const two = (part: number): string => String(part).padStart(2, '0')
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
  return `${date}T${two(hour)}:${two(minute)}:${two(second)}.${String(fraction).padStart(7, '0')}Z`
}
