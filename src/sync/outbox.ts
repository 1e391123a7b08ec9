import { idOf } from '../core/ids.ts'
import { linkOf } from './draft.ts'
import type { SyncPorts } from './ports.ts'
import { pushOf } from './push.ts'
import type { RecordDocument } from './record.ts'
import { sidesOf, type TaskSide } from './sides.ts'
import type { OutboundMessage } from './task.ts'

type OutboxPorts = Pick<SyncPorts, 'outbound' | 'clock'>

/**
 * Sends the messages for records whose outbox was just written. One for each connection is enough: its worker looks for
 * everything that waits there. A message that is lost here is sent by `relayPending`.
 */
export async function announce(
  ports: OutboxPorts,
  records: readonly RecordDocument[],
  { sides, correlationId }: { readonly sides: readonly TaskSide[]; readonly correlationId: string },
): Promise<void> {
  const messages = sides.flatMap((side) => {
    const record = records.find(({ pending }) => pending.includes(side.connectionId))
    return record ? [messageOf(record, side, { correlationId, now: ports.clock() })] : []
  })
  if (messages.length === 0) return
  await ports.outbound.send(
    messages.map(({ id, body }) => ({ id, body, correlationId: body.correlationId })),
  )
}

function messageOf(
  record: RecordDocument,
  side: TaskSide,
  { correlationId, now }: { readonly correlationId: string; readonly now: Date },
): { readonly id: string; readonly body: OutboundMessage } {
  const { integrationId, connectionId } = side
  const { tenantId, entityType } = record
  const push = pushOf(record, side)
  const { externalId } = linkOf(record, connectionId)
  return {
    id: idOf('push', connectionId, record.id, String(record.rev)),
    body: {
      integrationId,
      tenantId,
      connectionId,
      entityType,
      entityId: record.id,
      operation: push.kind === 'nothing' ? 'update' : push.kind,
      changes: {},
      ...(externalId === null ? {} : { externalId }),
      correlationId,
      enqueuedAt: now.toISOString(),
      hop: 0,
      deferrals: 0,
    },
  }
}

/** Messages of one minute about one connection are one message. */
const RELAY_STEP_MS = 60_000

/**
 * Finds what waits in outboxes and sends the messages again, for workers that died before they could. Costs one small query
 * for each connection that is written to.
 */
export async function relayPending(
  ports: OutboxPorts & Pick<SyncPorts, 'tasks' | 'shards' | 'mappingOf'>,
): Promise<{ readonly relayed: number }> {
  const pushing = new Map<string, { tenantId: string; entityType: string }>()
  for (const syncMode of ['push', 'bidirectional']) {
    const conditions = [
      { field: 'enabled', is: '=', value: true },
      { field: 'syncMode', is: '=', value: syncMode },
    ] as const
    for await (const { document } of ports.tasks.query({ anyOf: [conditions] })) {
      const { tenantId, entityType } = document
      pushing.set(JSON.stringify([tenantId, entityType]), { tenantId, entityType })
    }
  }
  let relayed = 0
  for (const { tenantId, entityType } of pushing.values()) {
    relayed += await relayType(ports, tenantId, entityType)
  }
  return { relayed }
}

async function relayType(
  ports: OutboxPorts & Pick<SyncPorts, 'tasks' | 'shards' | 'mappingOf'>,
  tenantId: string,
  entityType: string,
): Promise<number> {
  const sides = await sidesOf(ports, tenantId, entityType)
  let relayed = 0
  for (const side of sides.filter(({ pushes }) => pushes)) {
    const { connectionId } = side
    const waiting = { field: 'pending', is: 'contains', value: connectionId } as const
    for await (const { document } of ports.shards.query({ anyOf: [[waiting]] }, [
      tenantId,
      entityType,
    ])) {
      if (document.kind !== 'record') continue
      const now = ports.clock()
      const step = String(Math.floor(now.getTime() / RELAY_STEP_MS))
      const id = idOf('relay', tenantId, connectionId, entityType, step)
      const { body } = messageOf(document, side, { correlationId: id, now })
      await ports.outbound.send([{ id, body, correlationId: id }])
      relayed += 1
      break
    }
  }
  return relayed
}
