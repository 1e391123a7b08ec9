import type { VendorAnswer, VendorCall } from '../../src/connectors/client.ts'
import { stampOf } from '../../src/connectors/servicenow/stamp.ts'
import type { JsonObject } from '../../src/core/canonical-json.ts'

/** What a row was from some instant on. */
export interface RowVersion {
  readonly visibleMs: number
  readonly stampMs: number
  readonly revision: number
  /** Without a title the row does not fit the mapping. */
  readonly title: string
  /** Of a field that somebody may rename, or give another type. */
  readonly severity: number
}

/** What became of that field: as it was, under another name, or texts instead of numbers. */
export type Schema = 'known' | 'renamed' | 'retyped'

export interface Cap {
  /** No page holds more, whatever is asked for. */
  readonly rows: number
  /** Whether a page links the next one; else only the total tells. */
  readonly links: boolean
}

export interface VendorTable {
  /** Writes a row with the vendor's present second, to be seen by others `lateMs` later. */
  readonly write: (id: string, change: { lateMs?: number; title?: string; agoMs?: number }) => void
  readonly hide: (id: string) => void
  readonly ids: () => readonly string[]
  readonly isHidden: (id: string) => boolean
  /** Every version of a row. */
  readonly versions: (id: string) => readonly RowVersion[]
  readonly schema: (schema: Schema) => void
  readonly isRenamed: () => boolean
  /** Rows that may be seen at that instant, as they are then. */
  readonly visible: (atMs: number) => ReadonlyMap<string, RowVersion>
  /** Every (stamp, id) that was ever given out. */
  readonly places: ReadonlySet<string>
  /** A call of the Table API, as of an instant: a replica may lag. */
  readonly answer: (call: VendorCall, asOfMs: number) => VendorAnswer
}

/** A table of a ServiceNow instance, as far as the stream of a table asks it. */
export function vendorTable(
  tenant: string,
  {
    now,
    skewMs,
    cap,
  }: { readonly now: () => number; readonly skewMs: number; readonly cap?: Cap | undefined },
): VendorTable {
  let schema: Schema = 'known'
  const rows = new Map<string, RowVersion[]>()
  const hidden = new Set<string>()
  const places = new Set<string>()
  const stateAt = (atMs: number) => {
    const state = new Map<string, RowVersion>()
    for (const [id, versions] of rows) {
      const version = versions.findLast(({ visibleMs }) => visibleMs <= atMs)
      if (version) state.set(id, version)
    }
    return state
  }
  return {
    places,
    ids: () => [...rows.keys()],
    write: (id, { lateMs = 0, title, agoMs = 0 }) => {
      const versions = rows.get(id) ?? []
      const last = versions.at(-1)
      // Whoever writes a row waits for the transaction that has it.
      if (last && last.visibleMs > now()) return
      const revision = versions.length
      const stampMs = Math.floor((now() + skewMs - agoMs) / 1_000) * 1_000
      versions.push({
        visibleMs: now() - agoMs + lateMs,
        stampMs,
        revision,
        title: title ?? `${tenant} ${id} ${revision}`,
        severity: (revision % 4) + 1,
      })
      rows.set(id, versions)
      places.add(`${new Date(stampMs).toISOString()} ${id}`)
    },
    hide: (id) => hidden.add(id),
    isHidden: (id) => hidden.has(id),
    isRenamed: () => schema === 'renamed',
    versions: (id) => rows.get(id) ?? [],
    schema: (to) => {
      schema = to
    },
    visible: (atMs) => new Map([...stateAt(atMs)].filter(([id]) => !hidden.has(id))),
    answer: ({ query = {} }, asOfMs) => {
      const matches = filterOf(query['sysparm_query'] ?? '')
      const found = [...stateAt(asOfMs)]
        .map(([id, version]) => ({ id, version, stamp: stamp(version.stampMs) }))
        .filter(matches)
        .sort((a, b) => compare(a.stamp, b.stamp) || compare(a.id, b.id))
      const skip = Number(query['sysparm_offset'] ?? 0)
      const asked = Number(query['sysparm_limit'] ?? 10_000)
      const page = found.slice(skip, skip + Math.min(asked, cap?.rows ?? asked))
      const result = page
        .filter(({ id }) => !hidden.has(id))
        .map(({ id, version, stamp }): JsonObject => {
          const { title, revision, severity } = version
          return {
            sys_id: id,
            sys_updated_on: stamp,
            sys_mod_count: String(revision),
            title,
            revision: String(revision),
            ...fieldAs(schema, severity),
          }
        })
      const headers = new Headers({ 'x-total-count': String(found.length) })
      const isLast = found.length <= skip + page.length
      if (cap?.links) headers.set('link', `<https://t/first>;rel="${isLast ? 'first' : 'next'}"`)
      const body = { result }
      return { kind: 'answer', status: 200, headers, body, text: JSON.stringify(body) }
    },
  }
}

function fieldAs(schema: Schema, severity: number): JsonObject {
  if (schema === 'renamed') return { u_severity: String(severity) }
  return { severity: schema === 'retyped' ? `level ${severity}` : String(severity) }
}

function stamp(ms: number): string {
  return stampOf(new Date(ms).toISOString())
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

interface Row {
  readonly id: string
  readonly stamp: string
}

const operators: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  '=': (a, b) => a === b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

/** The part of the encoded query language that a stream uses: conditions, `^` and `^NQ`. */
function filterOf(query: string): (row: Row) => boolean {
  const groups = query.split('^NQ').map((group) =>
    group
      .split('^')
      .filter((term) => !term.startsWith('ORDERBY'))
      .map((term) => {
        const [, field, operator = '', value = ''] =
          /^(sys_updated_on|sys_id)(>=|=|>)(.*)$/.exec(term) ?? []
        const holds = operators[operator]
        if (!holds) throw new RangeError(`the table does not understand ${term}`)
        return (row: Row) => holds(field === 'sys_id' ? row.id : row.stamp, value)
      }),
  )
  return (row) => groups.some((conditions) => conditions.every((holds) => holds(row)))
}
