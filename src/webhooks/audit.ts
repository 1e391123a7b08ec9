import { explain } from '../core/errors.ts'
import type { Delivery } from './delivery.ts'
import { gathered } from './gather.ts'
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
  /** The same where the record is the only place of something: it is written with its body, or not at all. */
  recordWhole(delivery: Delivery): Promise<Audited>
  /** Writes what is late; true when nothing is any more. */
  catchUp(): Promise<boolean>
}

/** Records that are late are kept in memory, and no more of them than this; the log has them all. */
const MAX_LATE = 1_000
const LATE_AT_A_TIME = 20
/** As many as one write of the store takes. */
const RECORDS_AT_A_TIME = 100

/** The record beside an event, never instead of it. */
export function openAudit(ports: AuditPorts): Audit {
  const late: Delivery[] = []
  const write = gathered(RECORDS_AT_A_TIME, (all: readonly Delivery[]) => writeAll(ports, all))
  const catchUp = async (): Promise<boolean> => {
    const some = late.splice(0, LATE_AT_A_TIME)
    const results = await Promise.all(some.map(write))
    late.push(...some.filter((_, index) => results[index] === 'late'))
    return late.length === 0
  }
  const recordWhole = async (delivery: Delivery): Promise<Audited> => {
    const result = await write(delivery)
    if (result === 'stored' && late.length > 0) await catchUp()
    return result
  }
  return {
    catchUp,
    recordWhole,
    record: async (delivery) => {
      const result = await recordWhole(delivery)
      if (result === 'late' && late.length < MAX_LATE) {
        // A body is not kept waiting in memory.
        const { body: _body, ...rest } = delivery
        late.push(rest)
      }
      return result
    },
  }
}

/** Bytes that documents written together may have: the store takes 2 MB, with fields of its own. */
const BYTES_TOGETHER = 1_000_000
const BYTES_BESIDE_BODY = 4_000

/** Records of one registration stand in one partition: those that come together are written together. */
async function writeAll(
  ports: AuditPorts,
  deliveries: readonly Delivery[],
): Promise<readonly Audited[]> {
  const results = new Map<Delivery, Audited>()
  const groups = Map.groupBy(deliveries, ({ registrationId }) => registrationId)
  await Promise.all(
    [...groups.values()].flatMap(parted).map(async (group) => {
      for (const [delivery, audited] of await writeGroup(ports, group))
        results.set(delivery, audited)
    }),
  )
  return deliveries.map((delivery) => results.get(delivery) ?? 'late')
}

function parted(group: readonly Delivery[]): readonly (readonly Delivery[])[] {
  const parts: Delivery[][] = []
  let bytes = Infinity
  for (const delivery of group) {
    const { body } = delivery
    const weight = BYTES_BESIDE_BODY + (body?.at === 'document' ? body.base64.length : 0)
    const isFull = bytes + weight > BYTES_TOGETHER
    if (isFull) parts.push([delivery])
    else parts.at(-1)?.push(delivery)
    bytes = isFull ? weight : bytes + weight
  }
  return parts
}

async function writeGroup(
  ports: AuditPorts,
  group: readonly Delivery[],
): Promise<ReadonlyMap<Delivery, Audited>> {
  const known = group.map((delivery) => [delivery, 'known'] as const)
  try {
    const stored = await createAll(ports, group)
    return new Map([...known, ...stored.map((delivery) => [delivery, 'stored'] as const)])
  } catch (error) {
    for (const { id, registrationId, verified, queued, duration, status } of group) {
      const fields = { deliveryId: id, registrationId, verified, queued, duration, status }
      ports.log.error(`the audit record of a webhook is late: ${explain(error)}`, fields)
    }
    return new Map(group.map((delivery) => [delivery, 'late']))
  }
}

/** Those that were written: all whose ids were not taken. */
async function createAll(
  { deliveries }: AuditPorts,
  wanted: readonly Delivery[],
): Promise<readonly Delivery[]> {
  let left = wanted
  for (;;) {
    const [first] = left
    if (first === undefined) return left
    const written = await deliveries.write(
      [first.registrationId],
      left.map((document) => ({ kind: 'create', document })),
    )
    if (written.committed) return left
    left = left.filter((_, index) => index !== written.conflict)
  }
}
