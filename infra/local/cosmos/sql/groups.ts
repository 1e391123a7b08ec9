import { type Accumulator, accumulator } from './aggregates.ts'
import type { Query } from './ast.ts'
import { compileExpression } from './compile-expression.ts'
import { keep } from './rows.ts'
import type { AggregateCall, Frame, Scope } from './scope.ts'
import type { Scan, Sink } from './sources.ts'
import { fingerprint } from './value.ts'

interface Group {
  /** Any row of the group stands for it: the list reads only what is the same in all of them. */
  readonly row: unknown
  readonly accumulators: readonly Accumulator[]
}

interface Block {
  readonly scope: Scope
  readonly slots: readonly number[]
  readonly aggregates: readonly AggregateCall[]
}

/** Compiles GROUP BY and the aggregates. Aggregates without GROUP BY have one group, even over no rows. */
export function compileGroups(
  query: Query,
  { scope, slots, aggregates }: Block,
): (frame: Frame, scan: Scan, sink: Sink) => void {
  const keys = query.groupBy?.map((key) => compileExpression(key, scope))
  const { save, restore } = keep(slots)
  const start = (frame: Frame): Group => ({
    row: save(frame),
    accumulators: aggregates.map(({ name }) => accumulator(name)),
  })
  return (frame, scan, sink) => {
    const groups = new Map<string, Group>()
    if (keys === undefined) groups.set('', start(frame))
    scan(frame, (row) => {
      const key = keys === undefined ? '' : keys.map((part) => fingerprint(part(row))).join('|')
      let group = groups.get(key)
      if (group === undefined) groups.set(key, (group = start(row)))
      for (const [index, { argument }] of aggregates.entries()) {
        group.accumulators[index]?.add(argument(row))
      }
      return false
    })
    for (const group of groups.values()) {
      restore(frame, group.row)
      for (const [index, { slot }] of aggregates.entries()) {
        frame.slots[slot] = group.accumulators[index]?.result()
      }
      if (sink(frame)) return
    }
  }
}
