import type { Expression, Query, SelectItem } from './ast.ts'
import { compileExpression } from './compile-expression.ts'
import type { Evaluate, Scope } from './scope.ts'
import { SqlError } from './sql-error.ts'
import { assign } from './value.ts'

/** Compiles what stands between SELECT and FROM. `slots` are the sources, for `*`. */
export function compileProjection(query: Query, scope: Scope, slots: readonly number[]): Evaluate {
  const { selection } = query
  if (selection.kind === 'value') return compileExpression(selection.value, scope)
  if (selection.kind === 'list') return compileList(selection.items, scope)
  const [slot] = slots
  if (slot === undefined) {
    throw new SqlError("'SELECT *' is not valid if FROM clause is omitted.", {
      code: 'SC2102',
      ...selection.span,
    })
  }
  if (slots.length > 1) {
    throw new SqlError("'SELECT *' is only valid with a single input set.", {
      code: 'SC2102',
      ...selection.span,
    })
  }
  return (frame) => frame.slots[slot]
}

function compileList(items: readonly SelectItem[], scope: Scope): Evaluate {
  let unnamed = 0
  const properties = items.map(({ value, alias }) => {
    const name = alias ?? impliedName(value) ?? `$${(unnamed += 1)}`
    return { name, value: compileExpression(value, scope) }
  })
  return (frame) => {
    const object: Record<string, unknown> = {}
    for (const { name, value } of properties) assign(object, name, value(frame))
    return object
  }
}

/** `c` and `c.name` name themselves; anything else is called $1, $2 and so on. */
function impliedName(value: Expression): string | undefined {
  if (value.kind === 'name') return value.name
  const named =
    value.kind === 'member' && value.key.kind === 'literal' ? value.key.value : undefined
  return typeof named === 'string' ? named : undefined
}
