import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import { failure, ok, shown } from './answers.ts'
import type { Org } from './org.ts'
import { select } from './select.ts'
import { parseSoql, SoqlError, type Query } from './soql.ts'
import type { Row } from './values.ts'

const LOCATOR_MS = 2 * 24 * 3_600_000
const DEFAULT_BATCH = 2_000
const SMALLEST_BATCH = 200

interface Cursor {
  readonly query: Query
  readonly rows: readonly Row[]
  readonly batch: number
  readonly endsMs: number
}

/** Queries and what is left of them: the rows of a long one are those of its beginning. */
export class Queries {
  /** Rows of the next pages, whatever the client asked for: the header is advice (facts B2). */
  batchSize: number | undefined
  /** Added to every `totalSize`. */
  lie = 0
  readonly #org: Org
  readonly #cursors = new Map<string, Cursor>()

  constructor(org: Org) {
    this.#org = org
  }

  /** `GET query?q=` and `queryAll?q=`. */
  answer(request: LocalRequest, root: string, includesDeleted: boolean): LocalResponse {
    try {
      const query = parseSoql(request.url.searchParams.get('q') ?? '')
      const rows = select(this.#org, query, includesDeleted)
      if (query.fields.length === 0) return ok({ totalSize: rows.length, done: true, records: [] })
      const asked = /batchSize=(\d+)/.exec(request.headers['sforce-query-options'] ?? '')?.[1]
      const clamped = Math.max(
        SMALLEST_BATCH,
        Math.min(DEFAULT_BATCH, Number(asked ?? DEFAULT_BATCH)),
      )
      const endsMs = this.#org.nowMs() + LOCATOR_MS
      const cursor = { query, rows, batch: this.batchSize ?? clamped, endsMs }
      return this.#page(cursor, root, { at: 0, locator: `01gHs${this.#cursors.size + 1}` })
    } catch (error) {
      if (!(error instanceof SoqlError)) throw error
      return failure(400, error.code, error.message)
    }
  }

  /** `GET query/{locator}-{offset}`. */
  more(name: string, root: string): LocalResponse {
    const [locator = '', at = ''] = name.split('-')
    const cursor = this.#cursors.get(locator)
    if (!cursor || cursor.endsMs <= this.#org.nowMs())
      return failure(400, 'INVALID_QUERY_LOCATOR', 'invalid query locator')
    return this.#page(cursor, root, { at: Number(at), locator })
  }

  expireLocators(): void {
    this.#cursors.clear()
  }

  #page(
    cursor: Cursor,
    root: string,
    { at, locator }: { at: number; locator: string },
  ): LocalResponse {
    const { query, rows, batch } = cursor
    const end = at + batch
    const done = end >= rows.length
    if (!done) this.#cursors.set(locator, cursor)
    return ok({
      totalSize: rows.length + this.lie,
      done,
      ...(done ? {} : { nextRecordsUrl: `${root}/query/${locator}-${end}` }),
      records: rows
        .slice(at, end)
        .map((row) => shown({ object: query.object, root }, row, query.fields)),
    })
  }
}
