import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { findRecord, store } from './local-changes.ts'
import type { SyncPorts } from './ports.ts'
import { unpark } from './push.ts'
import type { ParkedDocument, ParkedMessage, ParkedRow } from './result.ts'
import {
  inboundMessageShape,
  outboundMessageShape,
  type InboundMessage,
  type Task,
} from './task.ts'

/** Throws `not_found`. */
export async function findParked(
  ports: Pick<SyncPorts, 'parked'>,
  tenantId: string,
  id: string,
): Promise<Stored<ParkedDocument>> {
  const stored = await ports.parked.get([tenantId], id)
  if (!stored) throw new AppError('not_found', `nothing is parked under ${id}`)
  return stored
}

/**
 * Sends what was parked again, the way it came, and takes it off the list: if it fails again it comes back. Repeated, it
 * does no harm: rows are read anew, records are pushed as they are by then.
 */
export async function redrive(ports: SyncPorts, tenantId: string, id: string): Promise<void> {
  const stored = await findParked(ports, tenantId, id)
  await resend(ports, stored.document)
  await ports.parked.write(
    [tenantId],
    [{ kind: 'remove', document: stored.document, etag: stored.etag }],
  )
}

async function resend(ports: SyncPorts, parked: ParkedDocument): Promise<void> {
  switch (parked.kind) {
    case 'row':
      return refresh(ports, parked)
    case 'deletes':
      return approve(ports, parked)
    case 'push': {
      const { tenantId, entityType, recordId: id } = parked
      const found = await findRecord(ports, { tenantId, entityType, id })
      const merged = unpark(found.document, parked.connectionId, ports.clock())
      await store(ports, { merged, etag: found.etag })
      return
    }
    case 'message':
      return sendAgain(ports, parked)
  }
}

/** A worker that gets it a second time looks at the present state, as always. Throws `bad_request`. */
async function sendAgain(ports: SyncPorts, parked: ParkedMessage): Promise<void> {
  const body = bodyOf(parked.payload)
  const inbound = inboundMessageShape.safeParse(body).data
  const outbound = outboundMessageShape.safeParse(body).data
  const message = inbound ?? outbound
  if (!message) {
    throw new AppError('bad_request', 'a message that cannot be read cannot be sent again')
  }
  const { correlationId } = message
  const id = idOf('redrive', parked.id, parked.parkedAt)
  const fresh = { ...message, deferrals: 0, enqueuedAt: ports.clock().toISOString() }
  const queue = inbound ? ports.inbound : ports.outbound
  await queue.send([{ id, body: fresh, correlationId }])
}

function bodyOf(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}

/** Asks for a run of one row. */
async function refresh(ports: SyncPorts, parked: ParkedRow): Promise<void> {
  const task = (await ports.tasks.get([parked.tenantId], parked.taskId))?.document
  if (!task) throw new AppError('not_found', `there is no task ${parked.taskId} any more`)
  const { entityType, externalId } = parked
  const correlationId = idOf('redrive', parked.id, parked.parkedAt)
  const message = messageOf(task, { correlationId, now: ports.clock() })
  await ports.inbound.send([
    { id: correlationId, body: { ...message, record: { entityType, externalId } }, correlationId },
  ])
}

/** The next run of the task deletes what is missing, each row confirmed. */
async function approve(
  ports: SyncPorts,
  { tenantId, taskId }: { readonly tenantId: string; readonly taskId: string },
): Promise<void> {
  const stored = await ports.tasks.get([tenantId], taskId)
  if (!stored) throw new AppError('not_found', `there is no task ${taskId} any more`)
  const document: Task = { ...stored.document, deletesApproved: true, status: 'pending' }
  const written = await ports.tasks.write(
    [tenantId],
    [{ kind: 'replace', document, etag: stored.etag }],
  )
  if (!written.committed) throw new AppError('conflict', `${taskId} is just being changed`)
}

function messageOf(
  task: Task,
  { correlationId, now }: { readonly correlationId: string; readonly now: Date },
): InboundMessage {
  const { integrationId, tenantId, connectionId, syncMode, priority } = task
  return inboundMessageShape.parse({
    integrationId,
    tenantId,
    connectionId,
    syncMode,
    priority,
    correlationId,
    enqueuedAt: now.toISOString(),
    taskId: task.id,
  })
}

/** What would be sent again, or was. */
export interface Redriven {
  readonly matched: number
  readonly sent: number
  readonly failed: readonly { readonly id: string; readonly message: string }[]
}

/** Told of a round at most. */
const MOST_FAILURES = 1_000

/** As many as `limit` of those that match, the longest parked first; a dry run only counts. */
export async function redriveMany(
  ports: SyncPorts,
  tenantId: string,
  filter: {
    readonly kind?: ParkedDocument['kind'] | undefined
    readonly taskId?: string | undefined
    readonly code?: string | undefined
    readonly limit: number
    readonly dryRun: boolean
  },
): Promise<Redriven> {
  const conditions = [
    { field: 'tenantId', is: '=', value: tenantId } as const,
    ...(['kind', 'taskId'] as const).flatMap((field) => {
      const value = filter[field]
      return value === undefined ? [] : [{ field, is: '=', value } as const]
    }),
  ]
  const matching: Pick<ParkedDocument, 'id' | 'parkedAt'>[] = []
  for await (const { document } of ports.parked.query({ anyOf: [conditions] }, [tenantId])) {
    if (filter.code === undefined || document.reason.code === filter.code) matching.push(document)
  }
  // The longest parked first: what comes back at once does not keep others from their turn.
  matching.sort((a, b) => (a.parkedAt < b.parkedAt ? -1 : Number(a.parkedAt > b.parkedAt)))
  const failed: { id: string; message: string }[] = []
  let sent = 0
  for (const { id } of filter.dryRun ? [] : matching) {
    // One that cannot be sent takes nobody's turn, and there may be many of them.
    if (sent >= filter.limit || failed.length >= MOST_FAILURES) break
    try {
      await redrive(ports, tenantId, id)
      sent += 1
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      failed.push({ id, message: error.message })
    }
  }
  return { matched: matching.length, sent, failed }
}
