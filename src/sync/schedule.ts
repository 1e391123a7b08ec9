import { Cron } from 'croner'

/**
 * The first slot after `after` of a cron expression with five or six fields (seconds first), in UTC. Missed slots are
 * not made up for: whoever runs late runs once and then waits for the next slot.
 */
export function nextSlot(schedule: string, after: Date): Date | undefined {
  return new Cron(schedule, { timezone: 'UTC', paused: true }).nextRun(after) ?? undefined
}

/** Whether `nextSlot` can read the expression. */
export function isSchedule(schedule: string): boolean {
  try {
    return nextSlot(schedule, new Date(0)) !== undefined
  } catch {
    return false
  }
}
