import { type BuiltIn, type BuiltIns, plain } from './built-in.ts'
import {
  floorTo,
  formatMoment,
  fromParts,
  milliseconds,
  parseMoment,
  TICKS_PER_MILLISECOND,
  type Ticks,
  toParts,
} from './moment.ts'

/** A part of a date: of fixed length, or so many months long. */
interface DatePart {
  readonly ticks: bigint
  readonly months: number
  /** What DateTimePart says. */
  readonly read: (ticks: Ticks) => number
}

const DAY = 864_000_000_000n
/** The Windows epoch, 1601-01-01: no bin starts before it. */
const FIRST_BIN = -116_444_736_000_000_000n
/** More ticks than the calendar has; larger numbers mean nothing in any unit. */
const MAX_COUNT = 1e18

/** Lengths below a tick count as zero ticks: nanoseconds are worked out apart. */
const PARTS: ReadonlyMap<string, DatePart> = new Map(
  (
    [
      [['year', 'yyyy', 'yy'], { ticks: 0n, months: 12, read: (at) => toParts(at)[0] }],
      [['month', 'mm', 'm'], { ticks: 0n, months: 1, read: (at) => toParts(at)[1] }],
      [['day', 'dd', 'd'], { ticks: DAY, months: 0, read: (at) => toParts(at)[2] }],
      [['hour', 'hh'], { ticks: 36_000_000_000n, months: 0, read: (at) => toParts(at)[3] }],
      [['minute', 'mi', 'n'], { ticks: 600_000_000n, months: 0, read: (at) => toParts(at)[4] }],
      [['second', 'ss', 's'], { ticks: 10_000_000n, months: 0, read: (at) => toParts(at)[5] }],
      [['millisecond', 'ms'], { ticks: 10_000n, months: 0, read: (at) => fraction(at, 10_000) }],
      [['microsecond', 'mcs'], { ticks: 10n, months: 0, read: (at) => fraction(at, 10) }],
      [['nanosecond', 'ns'], { ticks: 0n, months: 0, read: (at) => toParts(at)[6] * 100 }],
    ] satisfies readonly (readonly [readonly string[], DatePart])[]
  ).flatMap(([names, part]) => names.map((name) => [name, part] as const)),
)

const NANOSECONDS_PER_TICK = 100n

function fraction(ticks: Ticks, size: number): number {
  return Math.floor(toParts(ticks)[6] / size)
}

function partNamed(name: unknown): DatePart | undefined {
  return typeof name === 'string' ? PARTS.get(name.toLowerCase()) : undefined
}

function wholeNumber(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_COUNT
    ? BigInt(value)
    : undefined
}

/** A month that is too short for the day takes its last one, as 31 January and a month does. */
function addMonths(ticks: Ticks, months: bigint): Ticks | undefined {
  const [year, month, day, ...time] = toParts(ticks)
  const total = BigInt(year) * 12n + BigInt(month - 1) + months
  if (total < 12n || total >= 120_000n) return undefined
  const [toYear, toMonth] = [Number(total / 12n), Number(total % 12n) + 1]
  const lastDay = new Date(Date.UTC(2000, 0, 1))
  lastDay.setUTCFullYear(toYear, toMonth, 0)
  return fromParts([toYear, toMonth, Math.min(day, lastDay.getUTCDate()), ...time])
}

function add(name: unknown, count: unknown, text: unknown): string | undefined {
  const part = partNamed(name)
  const added = wholeNumber(count)
  const ticks = parseMoment(text)
  if (part === undefined || added === undefined || ticks === undefined) return undefined
  if (part.months > 0) {
    const moved = addMonths(ticks, added * BigInt(part.months))
    return moved === undefined ? undefined : formatMoment(moved)
  }
  return formatMoment(ticks + (part.ticks > 0n ? added * part.ticks : added / NANOSECONDS_PER_TICK))
}

/** Counts the boundaries between two moments, not the time. */
function difference(name: unknown, from: unknown, to: unknown): number | undefined {
  const part = partNamed(name)
  const start = parseMoment(from)
  const end = parseMoment(to)
  if (part === undefined || start === undefined || end === undefined) return undefined
  if (part.months > 0) return monthIndex(end, part.months) - monthIndex(start, part.months)
  if (part.ticks === 0n) return Number((end - start) * NANOSECONDS_PER_TICK)
  return Number((floorTo(end, part.ticks) - floorTo(start, part.ticks)) / part.ticks)
}

function monthIndex(ticks: Ticks, months: number): number {
  const [year, month] = toParts(ticks)
  return Math.floor((year * 12 + month - 1) / months)
}

function bin([text, name, size = 1, origin]: readonly unknown[]): string | undefined {
  const ticks = parseMoment(text)
  const part = partNamed(name)
  const count = wholeNumber(size)
  const start = origin === undefined ? 0n : parseMoment(origin)
  if (ticks === undefined || part === undefined || part.months > 0) return undefined
  if (count === undefined || count <= 0n || start === undefined || start < FIRST_BIN) {
    return undefined
  }
  const length = part.ticks > 0n ? part.ticks * count : count / NANOSECONDS_PER_TICK
  return formatMoment(start + floorTo(ticks - start, length > 0n ? length : 1n))
}

function fromNumbers(values: readonly unknown[]): string | undefined {
  const [year, month, day, hour = 0, minute = 0, second = 0, ticks = 0] = values.map((value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : NaN,
  )
  if (year === undefined || month === undefined || day === undefined) return undefined
  const parts = [year, month, day, hour, minute, second, ticks] as const
  if (parts.some(Number.isNaN) || ticks > 9_999_999) return undefined
  const moment = fromParts(parts)
  return moment === undefined ? undefined : formatMoment(moment)
}

function ofMoment(calculate: (ticks: Ticks) => unknown): BuiltIn {
  return plain(1, (text) => {
    const ticks = parseMoment(text)
    return ticks === undefined ? undefined : calculate(ticks)
  })
}

function ofCount(ticksPerUnit: bigint): BuiltIn {
  return plain(1, (count) => {
    const whole = wholeNumber(count)
    return whole === undefined ? undefined : formatMoment(whole * ticksPerUnit)
  })
}

/** The present moment. It stands still within one execution, so the static twins are the same functions. */
function ofNow(say: (ticks: Ticks) => unknown): BuiltIn {
  return {
    least: 0,
    most: 0,
    apply: (_, { nowMs }) =>
      nowMs === undefined ? undefined : say(BigInt(Math.floor(nowMs)) * TICKS_PER_MILLISECOND),
  }
}

/** The functions of date and time. Texts are ISO 8601, ticks are 100 ns and timestamps ms since the Unix epoch. */
export const TIME_FUNCTIONS: BuiltIns = {
  GetCurrentDateTime: ofNow(formatMoment),
  GetCurrentDateTimeStatic: ofNow(formatMoment),
  GetCurrentTicks: ofNow(Number),
  GetCurrentTicksStatic: ofNow(Number),
  GetCurrentTimestamp: ofNow(milliseconds),
  GetCurrentTimestampStatic: ofNow(milliseconds),
  DateTimeAdd: plain(3, add),
  DateTimeDiff: plain(3, difference),
  DateTimePart: plain(2, (name, text) => {
    const part = partNamed(name)
    const ticks = parseMoment(text)
    return ticks === undefined ? undefined : part?.read(ticks)
  }),
  DateTimeBin: { least: 2, most: 4, apply: bin },
  DateTimeFromParts: { least: 3, most: 7, apply: fromNumbers },
  DateTimeToTicks: ofMoment(Number),
  DateTimeToTimestamp: ofMoment(milliseconds),
  TicksToDateTime: ofCount(1n),
  TimestampToDateTime: ofCount(TICKS_PER_MILLISECOND),
}
