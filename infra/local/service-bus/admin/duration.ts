/** What the service calls never: the largest TimeSpan of .NET. */
const NEVER = 'P10675199DT2H48M5.4775807S'
const NEVER_SECONDS = 10_675_199 * 86_400

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** Seconds of an ISO 8601 duration of days and smaller; Infinity for never, undefined for no duration. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)
  if (!parts || !/\d/.test(text)) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0))
  const total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
  return total >= NEVER_SECONDS ? Infinity : total
}

export function formatDuration(seconds: number): string {
  if (seconds >= NEVER_SECONDS) return NEVER
  const days = Math.floor(seconds / 86_400)
  const time = [
    [Math.floor((seconds % 86_400) / 3600), 'H'],
    [Math.floor((seconds % 3600) / 60), 'M'],
    [Math.round((seconds % 60) * 1000) / 1000, 'S'],
  ] as const
  const told = time.map(([value, unit]) => (value > 0 ? `${value}${unit}` : '')).join('')
  if (days === 0 && told === '') return 'PT0S'
  return `P${days > 0 ? `${days}D` : ''}${told === '' ? '' : `T${told}`}`
}
