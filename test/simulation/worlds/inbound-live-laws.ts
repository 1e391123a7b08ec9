import type { RecordDocument, StreamDocument } from '../../../src/sync/record.ts'
import { linkId } from '../../../src/sync/record.ts'
import type { SyncResult } from '../../../src/sync/result.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { VendorTable } from '../vendor-table.ts'
import { CONNECTION, ENTITY, type InboundStores } from './inbound-stores.ts'

const MINUTE_MS = 60_000
/** While nothing goes wrong, what a vendor tells at once is stored within so long, whatever else is read. */
const FRESH_MS = 2 * MINUTE_MS

/** What holds beside the reading of a stream: news go first, and a field that changes its form spoils nothing. */
export function liveLaws(sim: Simulation, tables: ReadonlyMap<string, VendorTable>) {
  /** When the first page of a run was asked for, and whether the field was under another name all the time. */
  const pages = new Map<string, { readonly renamed: boolean }>()
  const told = new Set<string>()
  const working = new WeakMap<Actor, NonNullable<StreamDocument['run']>>()

  return {
    streamCommitted: (actor: Actor, { run }: StreamDocument) => {
      if (run) working.set(actor, run)
    },
    /** The limiter serves by type and priority of the task: the first pull stands behind everybody, news before. */
    asked: (actor: Actor, { tenantId, priority, type }: Task, what: 'page' | 'row') => {
      if (what === 'row' && type !== 'webhook') {
        sim.violate(8, `${actor.name} asks for one row as for a ${type} run`)
      }
      if (what === 'row') return
      const isFirst = working.get(actor)?.complete !== true
      if (isFirst && priority !== 'low') {
        sim.violate(
          8,
          `${actor.name} reads everything for the first time in the way of what is new`,
        )
      }
      const runId = working.get(actor)?.runId ?? ''
      const renamed = tables.get(tenantId)?.isRenamed() ?? false
      pages.set(runId, { renamed: renamed && (pages.get(runId)?.renamed ?? true) })
    },
    expects: (stores: InboundStores) => (tenantId: string, id: string, revision: number) => {
      sim.at(sim.now() + FRESH_MS, () => {
        if (sim.struck.length > 0) return
        const key = { tenantId, connectionId: CONNECTION, entityType: ENTITY }
        const documents = stores.shards.all().filter((one) => one.tenantId === tenantId)
        const link = documents.find((one) => one.id === linkId(key, id))
        const record = documents.find((one) => link?.kind === 'link' && one.id === link.recordId)
        const has = record?.kind === 'record' ? Number(record.fields['revision']) : -1
        const isOdd =
          tables
            .get(tenantId)
            ?.versions(id)
            .some(({ title }) => title === '') ?? false
        const isParked = stores.parked
          .all()
          .some((one) => one.kind === 'row' && one.externalId === id)
        if (has >= revision || isOdd || isParked) return
        sim.violate(
          8,
          `news of ${id} of ${tenantId} lie about: revision ${has} is stored, not ${revision}`,
        )
      })
    },
    /** The field keeps what it had while the vendor does not give it, or gives something else. */
    recordCommitted: (actor: Actor, externalId: string | undefined, record: RecordDocument) => {
      const { severity, revision } = record.fields
      const versions = tables.get(record.tenantId)?.versions(externalId ?? '') ?? []
      const known = versions.filter((one) => one.revision <= Number(revision))
      if (externalId === undefined || severity === undefined) return
      if (known.some((one) => one.severity === severity)) return
      sim.violate(
        5,
        `${actor.name} spoilt the severity of ${record.id}: ${JSON.stringify(severity)}`,
      )
    },
    resultCommitted: ({ actor }: { readonly actor: Actor }, result: SyncResult) => {
      if (result.fieldsMissing?.includes('severity')) told.add(result.tenantId)
      const { renamed = false } = pages.get(result.id) ?? {}
      const read = result.recordsProcessed - result.recordsFailed
      if (!renamed || read === 0 || told.has(result.tenantId)) return
      sim.violate(5, `${actor.name} reports ${read} rows and says nothing of the field they lack`)
    },
  }
}
