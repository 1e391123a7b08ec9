/** ServiceNow writes UTC as `YYYY-MM-DD HH:mm:ss`, without a zone (Table API, date-time values). */
const FORM = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/

/** ISO 8601 of a ServiceNow stamp; undefined for anything else. */
export function isoOf(stamp: unknown): string | undefined {
  if (typeof stamp !== 'string' || !FORM.test(stamp)) return undefined
  const ms = Date.parse(`${stamp.replace(' ', 'T')}Z`)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString()
}

/** The ServiceNow stamp of an ISO 8601 instant, whole seconds. */
export function stampOf(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}
