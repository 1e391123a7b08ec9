import { Cron } from 'croner'
import { timeSpanMs } from './time-span.ts'

/** When a timer is due next, in milliseconds since the epoch; undefined when never again. */
export interface Schedule {
  readonly next: (afterMs: number) => number | undefined
  /** False for a constant interval (the host tells the function so). */
  readonly isCron: boolean
}

/** What the host remembers of a timer. Instants are milliseconds since the epoch; `last` is 0 before the first run. */
export interface ScheduleStatus {
  readonly last: number
  readonly next: number
  readonly lastUpdated: number
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const DAYS = 'sun mon tue wed thu fri sat'.split(' ')
const FIELDS = [
  { name: 'second', least: 0, most: 59, words: [] },
  { name: 'minute', least: 0, most: 59, words: [] },
  { name: 'hour', least: 0, most: 23, words: [] },
  { name: 'day', least: 1, most: 31, words: [] },
  { name: 'month', least: 1, most: 12, words: MONTHS },
  { name: 'day of week', least: 0, most: 6, words: DAYS },
] as const

/**
 * Reads a timer's schedule: NCRONTAB with six fields (five: second 0) in UTC, or a TimeSpan `hh:mm:ss` as an interval.
 * Throws for what NCRONTAB does not know, though croner would (`L`, `W`, `#`, `?`, a day of week 7, a year).
 */
export function readSchedule(text: string): Schedule {
  const interval = timeSpanMs(text)
  if (interval !== undefined) {
    if (interval === 0) throw new Error(`the schedule "${text}" is an interval of nothing`)
    return { isCron: false, next: (afterMs) => afterMs + interval }
  }
  const given = text.trim().split(/\s+/)
  const fields = given.length === 5 ? ['0', ...given] : given
  if (fields.length !== 6) {
    throw new Error(`the schedule "${text}" is neither NCRONTAB with six fields nor hh:mm:ss`)
  }
  const pattern = fields.map((field, index) => normalize(field, index, text)).join(' ')
  // NCRONTAB wants day and day of week both to match, unlike cron.
  const cron = new Cron(pattern, { timezone: 'UTC', domAndDow: true, mode: '6-part' })
  return { isCron: true, next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() }
}

const TERM = /^(?:(\*)|([a-z]+|\d+)(?:-([a-z]+|\d+))?)(?:\/(\d+))?$/i

function normalize(field: string, index: number, schedule: string): string {
  const kind = FIELDS[index]
  if (!kind) return field
  const bad = () =>
    new Error(`the schedule "${schedule}" has a ${kind.name} that NCRONTAB cannot read: ${field}`)
  const value = (text: string): number => {
    const word = kind.words.findIndex((known) => known === text.toLowerCase().slice(0, 3))
    const number = word >= 0 ? word + kind.least : Number(text)
    if (!(number >= kind.least && number <= kind.most)) throw bad()
    return number
  }
  const terms = field.split(',').map((term) => {
    const [whole, all, from = '', to, step] = TERM.exec(term) ?? []
    if (whole === undefined || step === '0') throw bad()
    if (all) return step ? `${kind.least}-${kind.most}/${step}` : '*'
    const first = value(from)
    // `5/15` runs from 5 to the field's end.
    const last = to === undefined ? (step ? kind.most : first) : value(to)
    if (last < first) throw bad()
    return step ? `${first}-${last}/${step}` : last === first ? `${first}` : `${first}-${last}`
  })
  return terms.join(',')
}

const MINUTE_MS = 60_000

/** The host keeps no status for timers that come more often than once a minute. */
export function isMonitored(schedule: Schedule, useMonitor: boolean, nowMs: number): boolean {
  if (!useMonitor) return false
  let before = schedule.next(nowMs)
  for (let looked = 0; looked < 5 && before !== undefined; looked += 1) {
    const after = schedule.next(before)
    if (after !== undefined && after - before < MINUTE_MS) return false
    before = after
  }
  return true
}

export interface StartCheck {
  readonly status: ScheduleStatus | undefined
  readonly isPastDue: boolean
}

/**
 * What a starting host makes of the remembered status (azure-webjobs-sdk-extensions, ScheduleMonitor.CheckPastDueAsync):
 * a run was missed when its remembered time is over; a status that belongs to another schedule starts anew.
 */
export function checkAtStart(
  schedule: Schedule,
  remembered: ScheduleStatus | undefined,
  nowMs: number,
): StartCheck {
  const base = remembered && (remembered.lastUpdated || remembered.last)
  if (remembered && base !== undefined && schedule.next(base) === remembered.next) {
    return { status: remembered, isPastDue: nowMs > remembered.next }
  }
  const next = schedule.next(nowMs)
  if (next === undefined) return { status: undefined, isPastDue: false }
  return { status: { last: 0, next, lastUpdated: nowMs }, isPastDue: false }
}

/** The timer's input as the host writes it; `ScheduleStatus` is null without a monitor. */
export function timerJson(
  schedule: Schedule,
  status: ScheduleStatus | undefined,
  isPastDue: boolean,
): string {
  return JSON.stringify({
    Schedule: { AdjustForDST: schedule.isCron },
    ScheduleStatus: status
      ? {
          Last: dotnetTime(status.last),
          Next: dotnetTime(status.next),
          LastUpdated: dotnetTime(status.lastUpdated),
        }
      : null,
    IsPastDue: isPastDue,
  })
}

/** A .NET DateTime as Newtonsoft writes it: an offset where JavaScript writes Z, and year 1 for "never". */
function dotnetTime(ms: number): string {
  if (ms === 0) return '0001-01-01T00:00:00'
  return `${new Date(ms).toISOString().replace(/\.?0*Z$/, '')}+00:00`
}
