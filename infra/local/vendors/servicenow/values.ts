import { createHash } from 'node:crypto'

/** A record as the database holds it: every value is a text, `""` is null (facts A2, Values). */
export type Row = Readonly<Record<string, string>>
export type Changes = Readonly<Record<string, string>>

/** `YYYY-MM-DD HH:mm:ss` in UTC, without a zone, in whole seconds (facts A2, A5). */
export function toStamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** Milliseconds since the epoch of a stamp or of a plain date; NaN when it is neither. */
function fromStamp(stamp: string): number {
  if (!/^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$/.test(stamp)) return Number.NaN
  return Date.parse(`${stamp.length === 10 ? `${stamp} 00:00:00` : stamp}Z`.replace(' ', 'T'))
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** The stamp as a user in that time zone sees it on the screen. */
export function toLocalStamp(stamp: string, timeZone: string): string {
  const ms = fromStamp(stamp)
  if (Number.isNaN(ms) || timeZone === 'GMT') return stamp
  const formatter = formatters.get(timeZone) ?? createFormatter(timeZone)
  formatters.set(timeZone, formatter)
  return formatter.format(ms).replace(', ', ' ')
}

/** The UTC stamp of a time that a user in that time zone wrote. */
export function fromLocalStamp(stamp: string, timeZone: string): string {
  const wall = fromStamp(stamp)
  if (Number.isNaN(wall)) return stamp
  const offset = (ms: number) => fromStamp(toLocalStamp(toStamp(ms), timeZone)) - ms
  const guess = wall - offset(wall)
  return toStamp(wall - offset(guess))
}

function createFormatter(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  })
}

/** A sys_id, 32 hexadecimal digits, that is always the same for the same table and label. */
export function sysIdOf(table: string, label: string): string {
  return createHash('md5').update(`${table}:${label}`).digest('hex')
}
