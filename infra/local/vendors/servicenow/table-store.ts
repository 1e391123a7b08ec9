import type { Row } from './values.ts'

/**
 * The rows of one table by sys_id, and in the order of (sys_updated_on, sys_id) so that a keyset page is found by a
 * binary search. The order is made when it is first asked for and kept from then on; loading does not pay for it.
 */
export class TableStore {
  readonly #rows = new Map<string, Row>()
  #order: Row[] | undefined

  get size(): number {
    return this.#rows.size
  }

  get(sysId: string): Row | undefined {
    return this.#rows.get(sysId)
  }

  /** In the order of insertion. */
  all(): IterableIterator<Row> {
    return this.#rows.values()
  }

  put(row: Row): void {
    const sysId = row['sys_id'] ?? ''
    const former = this.#rows.get(sysId)
    this.#rows.set(sysId, row)
    if (!this.#order) return
    if (former) this.#order.splice(position(this.#order, former), 1)
    this.#order.splice(position(this.#order, row), 0, row)
  }

  delete(sysId: string): void {
    const row = this.#rows.get(sysId)
    if (!row) return
    this.#rows.delete(sysId)
    this.#order?.splice(position(this.#order, row), 1)
  }

  /** All rows by (sys_updated_on, sys_id). */
  ordered(): readonly Row[] {
    this.#order ??= [...this.#rows.values()].sort(byChange)
    return this.#order
  }
}

/** The index of the first row whose stamp is not before `stamp`. */
export function firstAt(ordered: readonly Row[], stamp: string): number {
  return position(ordered, { sys_updated_on: stamp, sys_id: '' })
}

function byChange(a: Row, b: Row): number {
  return compare(a['sys_updated_on'], b['sys_updated_on']) || compare(a['sys_id'], b['sys_id'])
}

function compare(a = '', b = ''): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function position(ordered: readonly Row[], row: Row): number {
  let low = 0
  let high = ordered.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const candidate = ordered[middle]
    if (candidate && byChange(candidate, row) < 0) low = middle + 1
    else high = middle
  }
  return low
}
