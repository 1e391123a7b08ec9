import { explain } from '../core/errors.ts'
import type { Delivery } from './delivery.ts'
import type { WebhookPorts } from './ports.ts'

type AuditPorts = Pick<WebhookPorts, 'deliveries' | 'log'>

export type Audited =
  | 'stored'
  /** The id is taken: the sender told this before. */
  | 'known'
  /** The store is away; the record follows when it is back. */
  | 'late'

export interface Audit {
  /** Writes a record unless its id is taken. Never throws. */
  record(delivery: Delivery): Promise<Audited>
  /** Writes what is late; true when nothing is any more. */
  catchUp(): Promise<boolean>
}

/** Records that are late are kept in memory, and no more of them than this; the log has them all. */
const MAX_LATE = 1_000
/** A body is not kept waiting in memory. */
const LATE_AT_A_TIME = 20

/** The record beside an event, never instead of it. */
export function openAudit(ports: AuditPorts): Audit {
  const late: Delivery[] = []
  const catchUp = async (): Promise<boolean> => {
    const some = late.splice(0, LATE_AT_A_TIME)
    const results = await Promise.all(some.map((delivery) => write(ports, delivery)))
    late.push(...some.filter((_, index) => results[index] === 'late'))
    return late.length === 0
  }
  return {
    catchUp,
    record: async (delivery) => {
      const result = await write(ports, delivery)
      if (result === 'late' && late.length < MAX_LATE) {
        const { body: _body, ...rest } = delivery
        late.push(rest)
      }
      if (result === 'stored' && late.length > 0) await catchUp()
      return result
    },
  }
}

async function write({ deliveries, log }: AuditPorts, delivery: Delivery): Promise<Audited> {
  try {
    const written = await deliveries.write(
      [delivery.registrationId],
      [{ kind: 'create', document: delivery }],
    )
    return written.committed ? 'stored' : 'known'
  } catch (error) {
    const { id, registrationId, verified, queued, duration, status } = delivery
    log.error(`the audit record of a webhook is late: ${explain(error)}`, {
      deliveryId: id,
      registrationId,
      verified,
      queued,
      duration,
      status,
    })
    return 'late'
  }
}
