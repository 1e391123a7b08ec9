import type { Json, JsonObject } from '../core/canonical-json.ts'
import { linkOf } from './draft.ts'
import type { FieldMapping } from './mapping.ts'
import type {
  PushAbilities,
  Refusal,
  Source,
  SourceRow,
  SyncPorts,
  VendorWrite,
  WriteOutcome,
} from './ports.ts'
import { linkId, recordIdOf, type RecordDocument } from './record.ts'
import type { Task } from './task.ts'

type ReferencePorts = Pick<SyncPorts, 'shards' | 'openSource'>

/**
 * The source of a task in which fields that name other records do so by our ids: a row's are translated when it is read, a
 * write's when it is sent. A child whose parent is not there yet waits; one whose parent will never be there is rejected
 * for the parent's reason.
 */
export async function openStream(ports: ReferencePorts, task: Task): Promise<Source | Refusal> {
  const source = await ports.openSource(task)
  if (source.kind === 'refused') return source
  const fields = source.mapping.fields.filter(({ reference }) => reference !== undefined)
  if (fields.length === 0) return source
  const { tenantId, connectionId } = task
  const naming: Naming = { ports, tenantId, connectionId, fields }
  const { push, fetchOne } = source
  const one = async (id: string, signal: AbortSignal, ask: NonNullable<Source['fetchOne']>) => {
    const found = await ask(id, signal)
    if (found.kind !== 'row') return found
    const [row = found.row] = await ourRows(naming, [found.row])
    return { kind: 'row', row } as const
  }
  return {
    ...source,
    fetchPage: async (request, signal) => {
      const page = await source.fetchPage(request, signal)
      return page.kind === 'page' ? { ...page, rows: await ourRows(naming, page.rows) } : page
    },
    ...(fetchOne ? { fetchOne: (id, signal) => one(id, signal, fetchOne) } : {}),
    ...(push ? { push: translated(naming, push, one) } : {}),
  }
}

interface Naming {
  readonly ports: ReferencePorts
  readonly tenantId: string
  readonly connectionId: string
  /** Those that name records. */
  readonly fields: readonly FieldMapping[]
}

function translated(
  naming: Naming,
  push: PushAbilities,
  one: (
    id: string,
    signal: AbortSignal,
    ask: PushAbilities['fetchOne'],
  ) => ReturnType<PushAbilities['fetchOne']>,
): PushAbilities {
  const { fetchMany } = push
  const many = async (found: Awaited<ReturnType<PushAbilities['findByMarker']>>) => {
    if (found.kind !== 'found') return found
    const rows = await ourRows(naming, [...found.rows.values()])
    return {
      kind: 'found',
      rows: new Map([...found.rows.keys()].flatMap((id, at) => (rows[at] ? [[id, rows[at]]] : []))),
    } as const
  }
  return {
    ...push,
    fetchOne: (id, signal) => one(id, signal, (...asked) => push.fetchOne(...asked)),
    ...(fetchMany ? { fetchMany: async (ids, signal) => many(await fetchMany(ids, signal)) } : {}),
    findByMarker: async (markers, signal) => many(await push.findByMarker(markers, signal)),
    write: (writes, signal) => write(naming, { push, writes }, signal),
  }
}

async function ourRows(naming: Naming, rows: readonly SourceRow[]): Promise<readonly SourceRow[]> {
  const ours = await ourIds(
    naming,
    rows.map(({ values }) => values),
  )
  return rows.map((row) => ({
    ...row,
    original: row.values,
    values: replaced(naming, row.values, ours),
  }))
}

/** Our ids of the records that these values name. One that was never read will have the id that follows from its row. */
async function ourIds(naming: Naming, all: readonly JsonObject[]): Promise<IdOf> {
  const { ports, tenantId, connectionId } = naming
  const found = new Map<string, string>()
  for (const [entityType, externalIds] of idsByType(naming, all)) {
    const key = { tenantId, entityType, connectionId }
    for (const externalId of externalIds) {
      found.set(`${entityType} ${externalId}`, recordIdOf(key, externalId))
    }
    const links = [...externalIds].map((externalId) => linkId(key, externalId))
    for (const { document } of await ports.shards.getMany([tenantId, entityType], links)) {
      if (document.kind === 'link')
        found.set(`${entityType} ${document.externalId}`, document.recordId)
    }
  }
  return (entityType, id) => found.get(`${entityType} ${id}`) ?? id
}

type IdOf = (entityType: string, id: string) => string

function idsByType(
  { fields }: Naming,
  all: readonly JsonObject[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const byType = new Map<string, Set<string>>()
  for (const { external, reference = '' } of fields) {
    const ids = all.flatMap((values) => idIn(values[external]))
    byType.set(reference, new Set([...(byType.get(reference) ?? []), ...ids]))
  }
  return byType
}

function idIn(value: Json | undefined): string[] {
  return typeof value === 'string' && value !== '' ? [value] : []
}

function replaced({ fields }: Naming, values: JsonObject, idOf: IdOf): JsonObject {
  const names = fields.flatMap(({ external, reference = '' }) =>
    idIn(values[external]).map((id) => [external, idOf(reference, id)] as const),
  )
  return { ...values, ...Object.fromEntries(names) }
}

interface Writing {
  readonly push: PushAbilities
  readonly writes: readonly VendorWrite[]
}

async function write(
  naming: Naming,
  { push, writes }: Writing,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  const parents = await parentsOf(
    naming,
    writes.map(({ values }) => values),
  )
  const held = new Map(writes.map((one) => [one, obstacleOf(naming, one, parents)]))
  const ready = writes.filter((one) => !held.get(one))
  const theirs: IdOf = (_type, id) => {
    const parent = parents.get(id)
    return (parent && linkOf(parent, naming.connectionId).externalId) ?? id
  }
  const sent = ready.map((one) => ({ ...one, values: replaced(naming, one.values, theirs) }))
  const outcomes = sent.length === 0 ? [] : await push.write(sent, signal)
  const ours = await ourIds(
    naming,
    outcomes.flatMap((one) => (one.kind === 'done' && one.values ? [one.values] : [])),
  )
  const done = new Map(
    ready.map((one, at) => {
      const outcome: WriteOutcome = outcomes[at] ?? { kind: 'unknown', reason: 'no answer' }
      const told = outcome.kind === 'done' ? outcome.values : undefined
      return [one, told ? { ...outcome, values: replaced(naming, told, ours) } : outcome]
    }),
  )
  return writes.map(
    (one) => held.get(one) ?? done.get(one) ?? { kind: 'unknown', reason: 'no answer' },
  )
}

/** The records that writes name, by our ids. */
async function parentsOf(
  naming: Naming,
  all: readonly JsonObject[],
): Promise<ReadonlyMap<string, RecordDocument>> {
  const { ports, tenantId } = naming
  const parents = new Map<string, RecordDocument>()
  for (const [entityType, ids] of idsByType(naming, all)) {
    for (const { document } of await ports.shards.getMany([tenantId, entityType], [...ids])) {
      if (document.kind === 'record') parents.set(document.id, document)
    }
  }
  return parents
}

/** Why a row cannot be sent yet, or never; undefined when nothing is in its way. */
function obstacleOf(
  { connectionId, fields }: Naming,
  { values }: VendorWrite,
  parents: ReadonlyMap<string, RecordDocument>,
): WriteOutcome | undefined {
  for (const { external, reference = '' } of fields) {
    const [id] = idIn(values[external])
    if (id === undefined) continue
    const parent = parents.get(id)
    // It may still be read; a record that never comes is the row's own fault.
    if (!parent) return { kind: 'unknown', reason: `there is no ${reference} ${id} yet` }
    const { externalId, goneAt, parked } = linkOf(parent, connectionId)
    if (parent.deleted || goneAt !== undefined) {
      return rejected(`the ${reference} ${id} is deleted`)
    }
    if (externalId !== null) continue
    if (parked) return rejected(`the ${reference} ${id} is parked: ${parked.message}`)
    return { kind: 'waits', reason: `the ${reference} ${id} is not there yet` }
  }
  return undefined
}

function rejected(reason: string): WriteOutcome {
  return { kind: 'rejected', code: 'parent_missing', reason }
}
