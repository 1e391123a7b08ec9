import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { ScheduleStatus } from './schedule.ts'

const statusShape = z.record(
  z.string(),
  z.object({ last: z.number(), next: z.number(), lastUpdated: z.number() }),
)

/** What the host remembers of its timers from one start to the next. */
export interface ScheduleStore {
  readonly get: (name: string) => ScheduleStatus | undefined
  readonly set: (name: string, status: ScheduleStatus) => Promise<void>
}

/** Remembers in a JSON file, or only in memory without one. An unreadable file counts as none. */
export async function openScheduleStore(file: string | undefined): Promise<ScheduleStore> {
  const statuses = new Map(Object.entries(file ? await readStatuses(file) : {}))
  let writing = Promise.resolve()
  return {
    get: (name) => statuses.get(name),
    set: (name, status) => {
      statuses.set(name, status)
      if (!file) return writing
      writing = writing.then(() => save(file, Object.fromEntries(statuses)))
      return writing
    },
  }
}

async function readStatuses(file: string): Promise<z.infer<typeof statusShape>> {
  try {
    return statusShape.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return {}
  }
}

/** By way of a second file, so that a crash leaves the old or the new one whole. */
async function save(file: string, statuses: object): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(`${file}.new`, JSON.stringify(statuses, undefined, 2))
  await rename(`${file}.new`, file)
}
