import type { ErrorCode } from '../../../src/core/errors.ts'
import { linkOf } from '../../../src/sync/draft.ts'
import type { RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument } from '../../../src/sync/result.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { examineVendor, isRecord } from './ring-laws.ts'
import type { Written } from './ring-wire.ts'

export const PARENT = 'company'
export const CHILD = 'case'

/** One vendor: a table of parents, a table of children. */
export interface Branch {
  readonly name: string
  readonly companies: MemoryVendor
  readonly cases: MemoryVendor
}

interface Rest {
  readonly shards: readonly ShardDocument[]
  readonly parked: readonly ParkedDocument[]
  readonly waiting: number
}

/** Who names another names one that is there, waits for it at no cost, and shares its fate when it never will be. */
export function familyLaws(sim: Simulation, branches: readonly Branch[]) {
  const parents = new Map<string, RecordDocument>()
  const orphans = new Set<string>()

  const childCommitted = (actor: Actor, record: RecordDocument) => {
    const { company } = record.fields
    const parent = typeof company === 'string' ? parents.get(company) : undefined
    for (const [name, { parked, retryAt, attempts }] of Object.entries(record.links)) {
      if (retryAt !== undefined && attempts === undefined) {
        sim.note(actor.name, `${record.id} waits for ${parent?.id ?? 'its company'} at ${name}`)
      }
      if (!parked) continue
      // Whoever should have made the company died before he did.
      if (!parent) orphans.add(record.id)
      if (orphans.has(record.id) && parked.code === 'outcome_unknown') continue
      const reason = parent && linkOf(parent, name).parked
      if (parked.code === 'parent_missing' && reason && parked.message.includes(reason.message))
        continue
      sim.violate(
        9,
        `${actor.name} gave up ${record.id} at ${name}: ${parked.code}, ${parked.message}`,
      )
    }
  }
  return {
    workBegins: () => {},
    abandoned: (code: ErrorCode, actor: Actor) => {
      if (code === 'internal') sim.violate(9, `${actor.name} gave its message back for ${code}`)
    },
    writing: ({ actor, vendor, write }: Written) => {
      const { account } = write.values
      const branch = branches.find(({ cases }) => cases === vendor)
      if (!branch || typeof account !== 'string' || account === '') return
      if (branch.companies.get(account)) return
      sim.violate(
        3,
        `${actor.name} wrote a case to ${vendor.name} that names ${account}, no company there`,
      )
    },
    shardCommitted: ({ actor, changes }: Commit<ShardDocument>) => {
      for (const { after } of changes) {
        if (after.kind !== 'record') continue
        if (after.entityType === PARENT) parents.set(after.id, after)
        else childCommitted(actor, after)
      }
    },
    examine: ({ shards, parked, waiting }: Rest) => {
      if (waiting > 0) sim.violate(9, `${waiting} messages still go round`)
      const records = shards.filter(isRecord)
      const companies = records.filter(({ entityType }) => entityType === PARENT)
      const odd = parked.find(
        (one) =>
          !['bad_value', 'parent_missing'].includes(one.reason.code) &&
          !(one.kind === 'push' && orphans.has(one.recordId)),
      )
      if (odd) sim.violate(5, `there is something parked: ${JSON.stringify(odd).slice(0, 300)}`)
      for (const branch of branches) {
        examineVendor(sim, { vendor: branch.companies, twins: new Set() }, companies)
        const cases = records.filter(({ entityType }) => entityType === CHILD)
        examineCases(sim, branch, { cases, parents, parked })
      }
    },
  }
}

interface Cases {
  readonly cases: readonly RecordDocument[]
  readonly parents: ReadonlyMap<string, RecordDocument>
  readonly parked: readonly ParkedDocument[]
}

function examineCases(sim: Simulation, { name, cases: table }: Branch, of: Cases): void {
  const rows = new Map(table.alive().map((row) => [row.id, row]))
  for (const record of of.cases) {
    const link = linkOf(record, name)
    const row = rows.get(link.externalId ?? '')
    if (link.parked) {
      const isListed = of.parked.some((one) => one.kind === 'push' && one.recordId === record.id)
      if (!isListed) sim.violate(5, `${record.id} is parked for ${name}, and nobody is told`)
    } else if (!row) sim.violate(3, `${name} has no row of ${record.id}`)
    else {
      const company = record.fields['company']
      const parent = typeof company === 'string' ? of.parents.get(company) : undefined
      const account = parent ? linkOf(parent, name).externalId : null
      if (
        (row.values['account'] ?? null) !== account ||
        row.values['subject'] !== record.fields['title']
      ) {
        sim.violate(
          3,
          `${record.id} is ${JSON.stringify(row.values)} at ${name}, of ${String(account)} here`,
        )
      }
    }
    rows.delete(link.externalId ?? '')
  }
  if (rows.size > 0) sim.violate(2, `${name} has cases of no record: ${[...rows.keys()].join()}`)
}
