import type { Json, JsonObject } from '../../src/core/canonical-json.ts'
import { compareCursors } from '../../src/sync/cursor.ts'
import type { Mapping } from '../../src/sync/mapping.ts'
import type {
  PageRequest,
  PageOutcome,
  PushAbilities,
  Source,
  SourceRow,
  VendorWrite,
  WriteOutcome,
} from '../../src/sync/ports.ts'
import type { Chance } from './random.ts'

export interface VendorRow {
  readonly id: string
  readonly values: JsonObject
  readonly marker: string | undefined
  readonly time: string
  readonly count: number
  readonly deleted: boolean
}

export interface VendorOptions {
  readonly name: string
  readonly mapping: Mapping
  readonly marker: 'correlation' | 'external_id' | 'none'
  readonly comparesAndSets: boolean
  /** Whether writes are answered with the row and its version. */
  readonly answersRows: boolean
  /** How deletions are told: rows in the stream, a list of their own, or only by their absence. */
  readonly deletes: 'in_stream' | 'listed'
  readonly batchSize: number
  /** Whether rows read from the stream carry our marker. */
  readonly tellsMarkers: boolean
  readonly clock: () => Date
  readonly chance: Chance
  /** Share of calls that fail; of those some fail after they had their effect. */
  readonly failures: { share: number }
  /** Called in the middle of every call: somebody may change something there. */
  readonly meanwhile?: () => void
  /** What the vendor makes of a value that it is given. */
  readonly normalise?: (field: string, value: Json) => Json
}

export type MemoryVendor = ReturnType<typeof memoryVendor>

/** A vendor with rows in memory: a clock of whole seconds, versions, and every way of failing that ours know. */
export function memoryVendor(options: VendorOptions) {
  const { name, chance, clock } = options
  const rows = new Map<string, VendorRow>()
  const writes: VendorWrite[] = []
  let serial = 0
  const stamp = () => `${clock().toISOString().slice(0, 19)}.000Z`
  const put = (id: string, change: Partial<VendorRow>) => {
    const before = rows.get(id) ?? { id, values: {}, marker: undefined, count: -1, deleted: false }
    const changed = Object.entries(change.values ?? {}).map(([field, value]) => [
      field,
      options.normalise?.(field, value) ?? value,
    ])
    const values: JsonObject = { ...before.values, ...Object.fromEntries(changed) }
    const row = { ...before, ...change, id, values, time: stamp(), count: before.count + 1 }
    rows.set(id, row)
    return row
  }
  const fails = () => {
    options.meanwhile?.()
    return chance.is(options.failures.share)
  }
  const answer = (row: VendorRow): WriteOutcome => ({
    kind: 'done',
    externalId: row.id,
    ...(options.answersRows
      ? { version: { time: row.time, count: row.count }, values: row.values }
      : {}),
  })
  const create = ({ marker, values }: VendorWrite): WriteOutcome => {
    const taken = [...rows.values()].find((row) => row.marker === marker && !row.deleted)
    if (taken && options.marker === 'external_id') return answer(put(taken.id, { values }))
    serial += 1
    return answer(put(`${name}-${serial}`, { values, marker }))
  }
  const perform = (write: VendorWrite): WriteOutcome => {
    writes.push(write)
    if (write.operation === 'create') return create(write)
    const row = rows.get(write.externalId ?? '')
    if (!row || row.deleted) return { kind: 'gone' }
    const moved = write.expected && write.expected.count !== row.count
    if (options.comparesAndSets && moved) return { kind: 'conflict' }
    return answer(
      put(row.id, write.operation === 'delete' ? { deleted: true } : { values: write.values }),
    )
  }
  const push: PushAbilities = {
    batchSize: options.batchSize,
    marker: options.marker,
    comparesAndSets: options.comparesAndSets,
    write: async (batch) => {
      if (fails()) return batch.map(() => ({ kind: 'retry', reason: 'it is overloaded' }))
      const outcomes = batch.map((write): WriteOutcome => {
        if (fails()) return { kind: 'retry', reason: `the row is locked ${chance.below(1_000)}` }
        const outcome = perform(write)
        return fails() ? { kind: 'unknown', reason: 'the answer was lost' } : outcome
      })
      return fails() ? batch.map(() => ({ kind: 'unknown', reason: 'no answer' })) : outcomes
    },
    fetchOne: async (id) => {
      if (fails()) return { kind: 'retry', reason: 'it is overloaded' }
      const row = rows.get(id)
      return row && !row.deleted ? { kind: 'row', row: toSourceRow(row) } : { kind: 'gone' }
    },
    ...(options.batchSize > 1
      ? {
          fetchMany: async (ids) => {
            if (fails()) return { kind: 'retry', reason: 'it is overloaded' }
            const found = ids.flatMap((id) => {
              const row = rows.get(id)
              return row && !row.deleted ? [[id, toSourceRow(row)] as const] : []
            })
            return { kind: 'found', rows: new Map(found) }
          },
        }
      : {}),
    findByMarker: async (markers) => {
      if (fails()) return { kind: 'retry', reason: 'it is overloaded' }
      const found = [...rows.values()].filter(
        ({ marker, deleted }) => marker !== undefined && markers.includes(marker) && !deleted,
      )
      return {
        kind: 'found',
        rows: new Map(found.map((row) => [row.marker ?? '', toSourceRow(row)])),
      }
    },
  }
  const toSourceRow = (row: VendorRow): SourceRow => ({
    externalId: row.id,
    cursor: { time: row.time, id: row.id },
    version: { time: row.time, count: row.count },
    values: row.values,
    ...(row.deleted ? { deleted: true } : {}),
    ...(row.marker !== undefined && options.tellsMarkers ? { marker: row.marker } : {}),
  })
  const behind = (after: PageRequest['after'], wanted: (row: VendorRow) => boolean) =>
    [...rows.values()]
      .filter(wanted)
      .map(toSourceRow)
      .filter(({ cursor }) => after === null || compareCursors(cursor, after) > 0)
      .sort((a, b) => compareCursors(a.cursor, b.cursor))
  const source: Source = {
    kind: 'source',
    mapping: options.mapping,
    overlapMs: 60_000,
    push,
    fetchOne: (id, signal) => push.fetchOne(id, signal),
    fetchPage: async ({ after, skip, limit }): Promise<PageOutcome> => {
      if (fails()) return { kind: 'retry', reason: 'it is overloaded' }
      const found = behind(after, ({ deleted }) => !deleted || options.deletes === 'in_stream')
      return {
        kind: 'page',
        rows: found.slice(skip, skip + limit),
        more: found.length > skip + limit,
      }
    },
    ...(options.deletes === 'listed'
      ? {
          fetchDeleted: async ({ since, limit }) => {
            if (fails()) return { kind: 'retry', reason: 'it is overloaded' }
            const found = behind(since, ({ deleted }) => deleted)
            const page = found.slice(0, limit)
            return {
              kind: 'page',
              rows: page.map(({ externalId, version }) => ({ externalId, time: version.time })),
              more: found.length > limit,
            }
          },
        }
      : {}),
  }
  return {
    name,
    options,
    source,
    /** Every write that was asked for. */
    writes,
    alive: () => [...rows.values()].filter(({ deleted }) => !deleted),
    removed: () => [...rows.values()].filter(({ deleted }) => deleted),
    get: (id: string) => rows.get(id),
    /** What people there do. */
    create: (values: JsonObject) => {
      serial += 1
      return put(`${name}-${serial}`, { values })
    },
    edit: (id: string, values: JsonObject) => put(id, { values }),
    remove: (id: string) => put(id, { deleted: true }),
    restore: (id: string) => put(id, { deleted: false }),
  }
}
