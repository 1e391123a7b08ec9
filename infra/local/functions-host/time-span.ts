const TIME_SPAN = /^(?:(\d+)\.)?(\d{1,2}):([0-5]?\d)(?::([0-5]?\d)(?:\.(\d{1,7}))?)?$/

/**
 * Milliseconds of a .NET TimeSpan `[d.]hh:mm[:ss[.fffffff]]`, or undefined when it is none. Hours go to 23: .NET reads
 * `24:00:00` as 24 days, a trap that is better refused.
 */
export function timeSpanMs(text: string): number | undefined {
  const match = TIME_SPAN.exec(text.trim())
  if (!match) return undefined
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = ''] = match
  if (Number(hours) > 23) return undefined
  const whole = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)
  return whole * 1000 + Math.round(Number(`0.${fraction || '0'}`) * 1000)
}
