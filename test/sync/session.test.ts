import { expect, test } from 'vitest'
import { sessionOf } from '../../src/sync/session.ts'

const message = { tenantId: 't', taskId: 'task-1', connectionId: 'c' }
const record = (externalId: string, tenantId = 't') =>
  sessionOf({ ...message, tenantId, record: { entityType: 'incident', externalId } })

test('what is about one record is of one session, whatever task it is for', () => {
  const other = {
    ...message,
    taskId: 'task-2',
    record: { entityType: 'incident', externalId: 'a' },
  }
  expect(sessionOf(other)).toBe(record('a'))
})

test('records of a tenant spread over its lanes, and it has no more than those', () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => `row-${index}`)
  const counts = Map.groupBy(ids, (id) => record(id))
  expect(counts.size).toBe(16)
  for (const those of counts.values()) expect(those.length).toBeGreaterThan(60)
})

test('no two tenants share a session, and runs share none with records', () => {
  const ids = Array.from({ length: 200 }, (_, index) => `row-${index}`)
  const mine = new Set(ids.map((id) => record(id)))
  expect(ids.some((id) => mine.has(record(id, 'u')))).toBe(false)
  const runs = [
    sessionOf(message),
    sessionOf({ ...message, taskId: 'task-2' }),
    sessionOf({ ...message, tenantId: 'u' }),
    // Without its id the stream is read.
    sessionOf({ ...message, record: { entityType: 'incident' } }),
  ]
  expect(runs[3]).toBe(runs[0])
  expect(new Set(runs).size).toBe(3)
  expect(runs.some((run) => mine.has(run))).toBe(false)
})

test('a session id is one that the bus takes: not empty, at most 128 characters', () => {
  const long = { ...message, tenantId: 'ü'.repeat(100), taskId: 'x'.repeat(100) }
  expect(sessionOf(long)).toMatch(/^run-[\w-]{27}$/)
})
