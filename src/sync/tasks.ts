import { z } from 'zod'
import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import type { Mapping } from './mapping.ts'
import type { SyncPorts } from './ports.ts'
import { scheduleDueTasks } from './scheduler.ts'
import { policyFields } from './side.ts'
import { taskShape, type Task } from './task.ts'
import { nextSlot } from './schedule.ts'

const { connectionId, entityType, syncMode, priority, schedule, mapping, enabled, duplicates } =
  taskShape.shape

/** What an operator says of a task. */
export const taskInputShape = z.object({
  connectionId,
  entityType,
  syncMode,
  priority: priority.default('normal'),
  schedule,
  mapping,
  duplicates,
  ...policyFields,
})
export const taskChangeShape = z
  .object({ syncMode, priority, schedule, mapping, enabled, duplicates, ...policyFields })
  .partial()

type TaskPorts = Pick<SyncPorts, 'tasks' | 'inbound' | 'clock' | 'mappingOf'>

export interface TaskKey {
  readonly tenantId: string
  readonly id: string
  readonly etag?: string | undefined
}

/** A new task, due at its first slot, or only when asked. Throws `bad_request` when the vendor has no such stream. */
export async function createTask(
  ports: TaskPorts,
  of: { readonly tenantId: string; readonly integrationId: string },
  input: z.infer<typeof taskInputShape>,
): Promise<Stored<Task>> {
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  ) as typeof input // the same without what was left out
  const next = input.schedule === undefined ? undefined : nextSlot(input.schedule, ports.clock())
  const document: Task = {
    ...given,
    id: newId('task'),
    ...of,
    status: 'completed',
    enabled: true,
    type: input.schedule === undefined ? 'manual' : 'scheduled',
    nextScheduled: next?.toISOString() ?? null,
    claim: null,
  }
  await checkStream(ports, document)
  const written = await ports.tasks.write([of.tenantId], [{ kind: 'create', document }])
  if (!written.committed) throw new AppError('conflict', `${document.id} is there already`)
  return { document, etag: written.etags[0] ?? '' }
}

async function checkStream(ports: TaskPorts, task: Task): Promise<void> {
  if (await ports.mappingOf(task)) return
  const { integrationId, entityType } = task
  throw new AppError('bad_request', `entityType: ${integrationId} has no stream of ${entityType}`)
}

/** Throws `not_found`. */
export async function findTask(
  ports: Pick<SyncPorts, 'tasks'>,
  { tenantId, id, etag }: TaskKey,
): Promise<Stored<Task>> {
  const stored = await ports.tasks.get([tenantId], id)
  if (!stored) throw new AppError('not_found', `there is no task ${id}`)
  if (etag !== undefined && etag !== stored.etag) throw stale(id)
  return stored
}

/**
 * What was read under another mapping is read again by the next run. Throws `not_found`, `conflict`, `bad_request`.
 */
export async function changeTask(
  ports: TaskPorts,
  key: TaskKey,
  change: z.infer<typeof taskChangeShape>,
): Promise<Stored<Task>> {
  const found = await findTask(ports, key)
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  )
  const merged: Task = { ...found.document, ...given }
  const next = merged.schedule === undefined ? undefined : nextSlot(merged.schedule, ports.clock())
  const document: Task = {
    ...merged,
    ...(change.schedule === undefined ? {} : { nextScheduled: next?.toISOString() ?? null }),
    ...(change.enabled === undefined ? {} : { status: change.enabled ? 'completed' : 'disabled' }),
    ...(isSame(merged.mapping, found.document.mapping)
      ? {}
      : { rereadAskedAt: ports.clock().toISOString() }),
  }
  await checkStream(ports, document)
  return replace(ports, found, document)
}

/** Throws `not_found`, `conflict`. What was synchronised stays. */
export async function removeTask(ports: TaskPorts, key: TaskKey): Promise<void> {
  const found = await findTask(ports, key)
  const written = await ports.tasks.write(
    [key.tenantId],
    [{ kind: 'remove', document: found.document, etag: found.etag }],
  )
  if (!written.committed) throw stale(key.id)
}

function isSame(a: Mapping | undefined, b: Mapping | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/**
 * Queues a run ahead of its slot; one that is queued or running already is not doubled. `fromStart` has everything read
 * again, not only what is new: for rows that may be seen only since lately. The run under way need not be the one.
 */
export async function runTask(
  ports: TaskPorts,
  key: TaskKey,
  { fromStart = false }: { readonly fromStart?: boolean | undefined } = {},
): Promise<Task> {
  const before = await findTask(ports, key)
  const rereadAskedAt = ports.clock().toISOString()
  const found = fromStart
    ? await replace(ports, before, { ...before.document, rereadAskedAt })
    : before
  const { status, enabled: isEnabled } = found.document
  if (!isEnabled) throw new AppError('conflict', `${key.id} is disabled`)
  if (status === 'queued' || status === 'running') return found.document
  const { document } = await replace(ports, found, { ...found.document, status: 'pending' })
  // Whatever this does not reach, the timer does.
  await scheduleDueTasks(ports)
  return document
}

async function replace(
  ports: TaskPorts,
  found: Stored<Task>,
  document: Task,
): Promise<Stored<Task>> {
  const written = await ports.tasks.write(
    [document.tenantId],
    [{ kind: 'replace', document, etag: found.etag }],
  )
  if (!written.committed) throw stale(document.id)
  return { document, etag: written.etags[0] ?? '' }
}

function stale(id: string): AppError {
  return new AppError('conflict', `${id} has changed: read it again`)
}
