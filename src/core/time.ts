/** Where use cases read the time, so that tests and the simulator can set it. */
export type Clock = () => Date

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000

export function addMs(instant: Date, ms: number): Date {
  return new Date(instant.getTime() + ms)
}
