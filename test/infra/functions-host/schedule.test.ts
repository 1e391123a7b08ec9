import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  checkAtStart,
  isMonitored,
  readSchedule,
} from '../../../infra/local/functions-host/schedule.ts'
import { timeSpanMs } from '../../../infra/local/functions-host/time-span.ts'

const next = (schedule: string, after: string) => {
  const ms = readSchedule(schedule).next(Date.parse(after))
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

test.for([
  ['0 0 * * * *', '2026-03-01T10:00:00Z', '2026-03-01T11:00:00.000Z'],
  ['0 0 */6 * * *', '2026-03-01T13:30:00Z', '2026-03-01T18:00:00.000Z'],
  ['*/15 * * * * *', '2026-03-01T10:00:14Z', '2026-03-01T10:00:15.000Z'],
  ['0 5/20 * * * *', '2026-03-01T10:06:00Z', '2026-03-01T10:25:00.000Z'],
  ['30 8 * * 1-5', '2026-02-28T00:00:00Z', '2026-03-02T08:30:00.000Z'],
  ['0 0 9 * JAN,JUL Monday', '2026-03-01T00:00:00Z', '2026-07-06T09:00:00.000Z'],
  // Day and day of week must both match: the next Friday the 13th.
  ['0 0 0 13 * FRI', '2026-03-14T00:00:00Z', '2026-11-13T00:00:00.000Z'],
  ['0 30 2 * * *', '2026-03-29T00:00:00Z', '2026-03-29T02:30:00.000Z'],
  ['00:30:00', '2026-03-01T10:00:01Z', '2026-03-01T10:30:01.000Z'],
  ['1.00:00:00', '2026-03-01T10:00:00Z', '2026-03-02T10:00:00.000Z'],
] as const)('"%s" after %s is due at %s', ([schedule, after, due]) => {
  expect(next(schedule, after)).toBe(due)
})

test.for([
  '',
  '* * *',
  '0 0 0 L * *',
  '0 0 0 * * 7',
  '0 0 0 ? * *',
  '60 * * * * *',
  '0 */0 * * * *',
  '0 30-10 * * * *',
  '0 0 0 * * MON#2',
  '24:00:00',
  '00:00:00',
  '0 0 0 1 1 * 2027',
])('the schedule "%s" is refused', (schedule) => {
  expect(() => readSchedule(schedule)).toThrow(/schedule/)
})

test('the next time is always later, and a step from any moment before it finds it again', () => {
  const schedules = fc.constantFrom('0 */7 * * * *', '0 0 3 * * *', '5,10 1 2 * * 0', '00:05:00')
  const instant = fc.integer({ min: 1.7e12, max: 1.9e12 })
  fc.assert(
    fc.property(schedules, instant, fc.nat(60_000), (text, afterMs, stepMs) => {
      const schedule = readSchedule(text)
      const due = schedule.next(afterMs) ?? 0
      expect(due).toBeGreaterThan(afterMs)
      const between = schedule.isCron ? Math.min(afterMs + stepMs, due - 1) : afterMs
      expect(schedule.next(between)).toBe(due)
    }),
  )
})

test('a remembered run that is over is past due; one of another schedule starts anew', () => {
  const hourly = readSchedule('0 0 * * * *')
  const hour = 3_600_000
  const status = { last: 10 * hour, next: 11 * hour, lastUpdated: 10 * hour }
  expect(checkAtStart(hourly, status, 11 * hour - 1)).toEqual({ status, isPastDue: false })
  expect(checkAtStart(hourly, status, 15 * hour)).toEqual({ status, isPastDue: true })
  expect(checkAtStart(readSchedule('0 30 * * * *'), status, 15 * hour)).toEqual({
    status: { last: 0, next: 15.5 * hour, lastUpdated: 15 * hour },
    isPastDue: false,
  })
})

test('a timer that comes more often than once a minute is not monitored', () => {
  expect(isMonitored(readSchedule('*/30 * * * * *'), true, 0)).toBe(false)
  expect(isMonitored(readSchedule('0 * * * * *'), true, 0)).toBe(true)
  expect(isMonitored(readSchedule('0 * * * * *'), false, 0)).toBe(false)
})

test.for([
  ['00:00:01', 1_000],
  ['01:30', 5_400_000],
  ['00:00:00.05', 50],
  ['2.01:00:00', 176_400_000],
  ['00:61:00', undefined],
  ['soon', undefined],
] as const)('the time span %s is %i ms', ([text, ms]) => {
  expect(timeSpanMs(text)).toBe(ms)
})
