import { canonicalJson, type Json, type JsonObject } from '../../../src/core/canonical-json.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { isSame } from '../../../src/sync/change.ts'
import { compareCursors } from '../../../src/sync/cursor.ts'
import { linkOf } from '../../../src/sync/draft.ts'
import { decode } from '../../../src/sync/mapping.ts'
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument } from '../../../src/sync/result.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import { unseenBy, type peopleOf } from '../people.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { decisionLaws, lifeLaws } from './ring-decisions.ts'
import type { Written } from './ring-wire.ts'

const MOST_DEFERRALS = 10
const passing: ReadonlySet<ErrorCode> = new Set(['conflict', 'store_unavailable'])

/** What somebody wrote into a record of ours. */
interface LocalEdit {
  readonly recordId: string
  readonly field: string
  readonly value: Json
}

interface Ring {
  readonly vendors: readonly MemoryVendor[]
  readonly people: ReturnType<typeof peopleOf>
  readonly policy: Parameters<typeof decisionLaws>[1]
}

interface Rest {
  readonly shards: readonly ShardDocument[]
  readonly parked: readonly ParkedDocument[]
  readonly waiting: number
  /** From when on nothing may move any more. */
  readonly restsSinceMs: number
}

/** What has to hold at every commit, and in the end. The numbers are those of architecture.md. */
export function ringLaws(sim: Simulation, { vendors, people, policy }: Ring) {
  const decisions = decisionLaws(sim, policy)
  const lives = lifeLaws(sim)
  /** What nobody on our side could see before it was written over. */
  const unseen = new Set<string>()
  /** Every value that a record ever had or a conflict keeps. */
  const kept = new Set<string>()
  const inConflicts = new Set<string>()
  const epochs = new Map<string, number>()
  const working = new WeakMap<Actor, { readonly deferrals: number }>()
  const edits: LocalEdit[] = []
  /** Field and value of records that any vendor ever was written. */
  const told = new Set<string>()
  const moved = { atMs: 0 }
  const watching = vendors.map((vendor) => ({ vendor, seen: 0 }))

  const lookAtVendors = () => {
    for (const watch of watching) {
      const fresh = watch.vendor.writes.slice(watch.seen)
      watch.seen = watch.vendor.writes.length
      if (fresh.length > 0) moved.atMs = sim.now()
      for (const { marker, values } of fresh) {
        const [recordId = ''] = marker.split('.')
        const decoded = decode(watch.vendor.options.mapping, values)
        const fields = decoded.ok ? decoded.fields : {}
        for (const [field, value] of Object.entries(fields)) {
          told.add(canonicalJson([recordId, field, value]))
        }
      }
    }
  }
  const fenced = (actor: Actor, changes: Commit<ShardDocument>['changes']) => {
    for (const { before, after } of changes) {
      if (after.kind !== 'pusher' && after.kind !== 'stream') continue
      const epoch = epochs.get(after.id) ?? 0
      if (after.epoch < epoch || (before?.kind === after.kind && after.epoch < before.epoch)) {
        sim.violate(4, `${actor.name} of epoch ${after.epoch} wrote the ${after.kind} of ${epoch}`)
      }
      epochs.set(after.id, after.epoch)
    }
    if (actor.kind !== 'outbound') return
    const pusher = changes.find(({ after }) => after.kind === 'pusher')
    const others = changes.filter(({ after }) => after.kind !== 'pusher')
    if (!pusher && others.length > 0) {
      sim.violate(4, `${actor.name} wrote a ${others[0]?.after.kind} without its lease`)
    }
  }
  const cursorMoves = ({ before, after }: Commit<ShardDocument>['changes'][number]) => {
    if (after.kind !== 'stream' || before?.kind !== 'stream' || !before.cursor) return
    if (!after.cursor || compareCursors(after.cursor, before.cursor) < 0) {
      sim.violate(3, `the cursor of ${after.connectionId} went back`)
    }
  }
  const recordCommitted = (
    actor: Actor,
    before: ShardDocument | undefined,
    { id, fields }: RecordDocument,
  ) => {
    const was = before?.kind === 'record' ? before.fields : {}
    for (const [field, value] of Object.entries(fields)) {
      kept.add(canonicalJson(value))
      const isEdit =
        actor.kind === 'person' && canonicalJson(was[field] ?? null) !== canonicalJson(value)
      if (isEdit) edits.push({ recordId: id, field, value })
    }
  }
  return {
    workBegins: (actor: Actor, message: { readonly deferrals: number }) => {
      working.set(actor, message)
      lives.begins(actor)
    },
    reviewing: decisions.reviewing,
    writing: (written: Written) => {
      const { actor, vendor, write } = written
      const [recordId = ''] = write.marker.split('.')
      if (write.operation === 'create') lives.created(actor, recordId)
      for (const edit of unseenBy(vendor, written)) unseen.add(edit)
    },
    shardCommitted: (commit: Commit<ShardDocument>) => {
      const { actor, changes } = commit
      lookAtVendors()
      decisions.decided(commit)
      lives.lived(commit)
      fenced(actor, changes)
      for (const change of changes) {
        cursorMoves(change)
        const { after } = change
        if (after.kind === 'record') recordCommitted(actor, change.before, after)
        if (after.kind === 'conflict') {
          for (const value of valuesOf(after)) {
            kept.add(canonicalJson(value))
            inConflicts.add(canonicalJson(value))
          }
        }
      }
    },
    abandoned: (code: ErrorCode, actor: Actor) => {
      const deferrals = working.get(actor)?.deferrals ?? 0
      if (passing.has(code) && deferrals < MOST_DEFERRALS) {
        sim.violate(9, `${actor.name} gave its message back for ${code}, at the cost of a delivery`)
      }
    },
    examine: ({ shards, parked, waiting, restsSinceMs }: Rest) => {
      lookAtVendors()
      const records = shards.filter(isRecord)
      if (moved.atMs > restsSinceMs) {
        const at = new Date(moved.atMs).toISOString()
        sim.violate(6, `a vendor was still written to at ${at}, long after everybody had gone`)
      }
      if (waiting > 0) sim.violate(9, `${waiting} messages still go round`)
      const first = parked.find(({ reason }) => !setAside.has(reason.code))
      if (first) {
        sim.violate(5, `there is something parked: ${JSON.stringify(first).slice(0, 300)}`)
      }
      const listed = new Set(
        parked.flatMap((one) =>
          one.kind === 'push' ? [`${one.connectionId} ${one.recordId}`] : [],
        ),
      )
      for (const record of records) {
        for (const [connectionId, link] of Object.entries(record.links)) {
          if (!link.parked || listed.has(`${connectionId} ${record.id}`)) continue
          sim.violate(5, `${record.id} is parked for ${connectionId}, and nobody is told`)
        }
      }
      for (const value of people.lost(kept, unseen))
        sim.violate(5, `what somebody wrote is lost: ${value}`)
      for (const { recordId, field, value } of lastOf(edits)) {
        const record = records.find(({ id }) => id === recordId)
        const stands = record?.deleted || record?.fields[field] === value
        const seen = told.has(canonicalJson([recordId, field, value]))
        if (stands || seen || inConflicts.has(canonicalJson(value))) continue
        sim.violate(5, `what we wrote here is lost: ${JSON.stringify(value)} of ${recordId}`)
      }
      for (const { id, pending } of records) {
        if (pending.length > 0) sim.violate(3, `${id} still waits for ${pending.join()}`)
      }
      for (const vendor of vendors) {
        examineVendor(sim, { vendor, twins: twinsOf(vendor, people.restored, shards) }, records)
      }
    },
  }
}

export function isRecord(one: ShardDocument): one is RecordDocument {
  return one.kind === 'record'
}

/** The last edit of each field: who wrote after it has seen it. */
function lastOf(edits: readonly LocalEdit[]): readonly LocalEdit[] {
  return [...new Map(edits.map((one) => [`${one.recordId} ${one.field}`, one])).values()]
}

/** The values that a conflict is about: of one field, or of a whole row. */
function valuesOf({ local, external }: ConflictDocument): readonly Json[] {
  return [local, external].flatMap((side) =>
    typeof side === 'object' && side !== null ? Object.values(side) : [side],
  )
}

/** Rows that are back, and whose record was created there anew meanwhile: then they are two. */
function twinsOf(
  { name, writes }: MemoryVendor,
  back: ReadonlySet<string>,
  shards: readonly ShardDocument[],
): ReadonlySet<string> {
  const anew = new Set(
    writes.flatMap(({ operation, marker }) => {
      const [recordId, generation] = marker.split('.')
      return operation === 'create' && generation !== undefined ? [recordId] : []
    }),
  )
  return new Set(
    shards.flatMap((one) =>
      one.kind === 'link' &&
      one.connectionId === name &&
      back.has(one.externalId) &&
      anew.has(one.recordId)
        ? [one.externalId]
        : [],
    ),
  )
}

/** What the vendor takes from nobody, and a row that came back as another record's while it was made anew. */
const setAside: ReadonlySet<string> = new Set(['bad_value', 'conflict'])

/** Each living record has exactly one living row in the system, and both say the same. */
export function examineVendor(
  sim: Simulation,
  { vendor, twins }: { readonly vendor: MemoryVendor; readonly twins: ReadonlySet<string> },
  records: readonly RecordDocument[],
): void {
  const { name } = vendor
  const markers = vendor
    .alive()
    .flatMap(({ id, marker }) => (marker === undefined || twins.has(id) ? [] : [marker]))
  const twice = markers.find((marker, index) => markers.indexOf(marker) < index)
  if (twice !== undefined) sim.violate(2, `${name} has two rows that we created for ${twice}`)
  const living = records.filter(({ deleted }) => !deleted)
  const isHeld = ({ links }: RecordDocument) => Object.values(links).some((one) => one.held[''])
  const settled = living.filter((record) => !isHeld(record))
  const rows = new Map(vendor.alive().map((row) => [row.id, row]))
  const owners = new Map<string, string>()
  for (const record of settled) {
    const { externalId, parked } = linkOf(record, name)
    // It is on the list of what is parked.
    const isRefused = parked !== undefined && setAside.has(parked.code)
    if (isRefused && externalId === null) continue
    const row = externalId === null ? undefined : rows.get(externalId)
    if (!row || externalId === null) {
      sim.violate(3, `${name} has no row of ${record.id}`)
      continue
    }
    const other = owners.get(externalId)
    if (other !== undefined) sim.violate(2, `${externalId} is both ${other} and ${record.id}`)
    owners.set(externalId, record.id)
    const differences = isRefused ? [] : differencesOf(vendor, record, row.values)
    for (const [field, there, here] of differences) {
      sim.violate(
        3,
        `${record.id} ${field} is ${JSON.stringify(there)} at ${name} and ${JSON.stringify(here)} here`,
      )
    }
  }
  // Rows of records about which a person has to say whether they are there at all.
  const open = records.filter(isHeld).length
  const spare = [...rows.keys()].filter((id) => !owners.has(id) && !twins.has(id))
  if (spare.length > open) sim.violate(2, `${name} has rows of no record: ${spare.join()}`)
}

/** Fields that read otherwise there than here, though nobody has to decide about them. */
function differencesOf(
  { name, options }: MemoryVendor,
  record: RecordDocument,
  values: JsonObject,
): readonly (readonly [string, Json | undefined, Json | undefined])[] {
  const decoded = decode(options.mapping, values)
  const view = decoded.ok ? decoded.fields : {}
  const { theirs, held } = linkOf(record, name)
  return options.mapping.fields
    .filter(({ local }) => !held[local])
    .filter(({ local, equality }) => {
      const ours = local in theirs ? theirs[local] : record.fields[local]
      return !isSame(view[local], ours, equality)
    })
    .map(({ local }) => [local, view[local], record.fields[local]] as const)
}
