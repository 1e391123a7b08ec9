import { isAggregate } from './aggregates.ts'
import type { Expression } from './ast.ts'
import { type BuiltIn, builtIn } from './functions.ts'
import { type Like, likePattern } from './like.ts'
import { member, memberReader } from './member.ts'
import { BINARY, finite, UNARY } from './operators.ts'
import { type Evaluate, findName, newSlot, parameterIndex, resolve, type Scope } from './scope.ts'
import { SqlError } from './sql-error.ts'
import { assign, equals } from './value.ts'

type Of<Kind extends Expression['kind']> = Extract<Expression, { kind: Kind }>

/** Numbers that have names, unless FROM gives the name to something else. */
const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
])

/** Turns a syntax tree into a function of the frame. Names are resolved once, here. */
export function compileExpression(expression: Expression, scope: Scope): Evaluate {
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression
      return () => value
    }
    case 'parameter': {
      const index = parameterIndex(scope.program, expression.name)
      return (frame) => frame.parameters[index]
    }
    case 'name': {
      const constant = CONSTANTS.get(expression.name)
      if (constant !== undefined && findName(scope, expression.name) === undefined) {
        return () => constant
      }
      const slot = resolve(scope, expression.name, expression.span)
      return (frame) => frame.slots[slot]
    }
    case 'member':
      return compileMember(expression, scope)
    case 'unary':
      return compileUnary(expression, scope)
    case 'not': {
      const operand = compileExpression(expression.operand, scope)
      return (frame) => {
        const value = operand(frame)
        return typeof value === 'boolean' ? !value : undefined
      }
    }
    case 'and':
      return compileLogic(expression.operands, scope, false)
    case 'or':
      return compileLogic(expression.operands, scope, true)
    case 'binary':
      return compileBinary(expression, scope)
    case 'conditional': {
      const test = compileExpression(expression.test, scope)
      const yes = compileExpression(expression.yes, scope)
      const no = compileExpression(expression.no, scope)
      return (frame) => (test(frame) === true ? yes(frame) : no(frame))
    }
    case 'in':
      return compileIn(expression, scope)
    case 'between':
      return compileBetween(expression, scope)
    case 'like':
      return compileLike(expression, scope)
    case 'call':
      return compileCall(expression, scope)
    case 'object':
      return compileObject(expression, scope)
    case 'array':
      return compileArray(expression, scope)
    case 'subquery':
      return compileSubquery(expression, scope)
  }
}

function compileMember(expression: Of<'member'>, scope: Scope): Evaluate {
  if (expression.key.kind !== 'literal') {
    const of = compileExpression(expression.of, scope)
    const key = compileExpression(expression.key, scope)
    return (frame) => member(of(frame), key(frame))
  }
  const read = memberReader(expression.key.value)
  if (expression.of.kind === 'name') {
    const slot = resolve(scope, expression.of.name, expression.of.span)
    return (frame) => read(frame.slots[slot])
  }
  const of = compileExpression(expression.of, scope)
  return (frame) => read(of(frame))
}

function compileUnary(expression: Of<'unary'>, scope: Scope): Evaluate {
  const operand = compileExpression(expression.operand, scope)
  const calculate = UNARY[expression.operator]
  return (frame) => {
    const value = operand(frame)
    return typeof value === 'number' ? finite(calculate(value)) : undefined
  }
}

/** AND is settled by the first false, OR by the first true; else it is undefined if any side is no boolean. */
function compileLogic(operands: readonly Expression[], scope: Scope, settled: boolean): Evaluate {
  const sides = operands.map((operand) => compileExpression(operand, scope))
  return (frame) => {
    let answer: boolean | undefined = !settled
    for (const side of sides) {
      const value = side(frame)
      if (value === settled) return settled
      if (value !== !settled) answer = undefined
    }
    return answer
  }
}

function compileBinary(expression: Of<'binary'>, scope: Scope): Evaluate {
  const left = compileExpression(expression.left, scope)
  const right = compileExpression(expression.right, scope)
  const apply = BINARY[expression.operator]
  return (frame) => apply(left(frame), right(frame))
}

function compileIn(expression: Of<'in'>, scope: Scope): Evaluate {
  const value = compileExpression(expression.value, scope)
  const options = expression.options.map((option) => compileExpression(option, scope))
  return (frame) => {
    const wanted = value(frame)
    if (wanted === undefined) return undefined
    return options.some((option) => equals(option(frame), wanted))
  }
}

function compileBetween(expression: Of<'between'>, scope: Scope): Evaluate {
  const { value, low, high } = expression
  return compileExpression(
    {
      kind: 'and',
      operands: [
        { kind: 'binary', operator: '>=', left: value, right: low },
        { kind: 'binary', operator: '<=', left: value, right: high },
      ],
    },
    scope,
  )
}

function compileLike(expression: Of<'like'>, scope: Scope): Evaluate {
  const value = compileExpression(expression.value, scope)
  const pattern = compileExpression(expression.pattern, scope)
  const escape = expression.escape ? compileExpression(expression.escape, scope) : undefined
  let last: { readonly key: string; readonly matches: Like } | undefined
  const matcher = (wanted: string, sign: string): Like => {
    const key = `${sign}\n${wanted}`
    if (last?.key !== key) last = { key, matches: likePattern(wanted, sign) }
    return last.matches
  }
  return (frame) => {
    const text = value(frame)
    const wanted = pattern(frame)
    const sign = escape === undefined ? '' : escape(frame)
    if (typeof text !== 'string' || typeof wanted !== 'string') return undefined
    return typeof sign === 'string' ? matcher(wanted, sign)(text) : undefined
  }
}

function compileCall(expression: Of<'call'>, scope: Scope): Evaluate {
  if (expression.userDefined) return compileUserCall(expression, scope)
  if (isAggregate(expression.name)) return compileAggregate(expression, scope)
  const { name, span } = expression
  const found = builtIn(name)
  if (found === undefined) {
    throw new SqlError(`'${name}' is not a recognized built-in function name.`, {
      code: 'SC2005',
      ...span,
    })
  }
  assertArity(expression, found)
  return callOf(found, expression, scope)
}

function callOf(found: BuiltIn, expression: Of<'call'>, scope: Scope): Evaluate {
  const values = expression.values.map((value) => compileExpression(value, scope))
  const { apply, takesUndefined = false } = found
  return (frame) => {
    const evaluated: unknown[] = []
    for (const value of values) {
      const one = value(frame)
      if (one === undefined && !takesUndefined) return undefined
      evaluated.push(one)
    }
    return apply(evaluated, frame.environment)
  }
}

function assertArity(call: Of<'call'>, { least, most }: Pick<BuiltIn, 'least' | 'most'>): void {
  const given = call.values.length
  if (given >= least && given <= most) return
  const wanted = least === most ? `${least}` : `${least} to ${most}`
  throw new SqlError(`The ${call.name} function requires ${wanted} argument(s).`, {
    code: 'SC2050',
    ...call.span,
  })
}

function compileUserCall(expression: Of<'call'>, scope: Scope): Evaluate {
  const { name, span } = expression
  const values = expression.values.map((value) => compileExpression(value, scope))
  return (frame) => {
    const call = frame.environment.userFunctions.get(name)
    if (call === undefined) {
      throw new SqlError(`The container has no user-defined function '${name}'.`, {
        code: 'SC2005',
        ...span,
      })
    }
    return call(...values.map((value) => value(frame)))
  }
}

function compileAggregate(expression: Of<'call'>, scope: Scope): Evaluate {
  assertArity(expression, { least: 1, most: 1 })
  const [value] = expression.values
  if (scope.aggregates === undefined || value === undefined) {
    throw new SqlError(`The aggregate ${expression.name} can stand only in a SELECT list.`, {
      code: 'SC2102',
      ...expression.span,
    })
  }
  const argument = compileExpression(value, { ...scope, aggregates: undefined })
  const slot = newSlot(scope.program)
  scope.aggregates.push({ name: expression.name, argument, slot })
  return (frame) => frame.slots[slot]
}

function compileObject(expression: Of<'object'>, scope: Scope): Evaluate {
  const properties = expression.properties.map(({ name, value }) => ({
    name,
    value: compileExpression(value, scope),
  }))
  return (frame) => {
    const object: Record<string, unknown> = {}
    for (const { name, value } of properties) assign(object, name, value(frame))
    return object
  }
}

function compileArray(expression: Of<'array'>, scope: Scope): Evaluate {
  const items = expression.items.map((item) => compileExpression(item, scope))
  return (frame) => items.map((item) => item(frame)).filter((item) => item !== undefined)
}

function compileSubquery(expression: Of<'subquery'>, scope: Scope): Evaluate {
  const { form, query, span } = expression
  const rows = scope.compileQuery(query, scope)
  if (form === 'exists') return (frame) => rows(frame).length > 0
  if (form === 'array') return rows
  return (frame) => {
    const found = rows(frame)
    if (found.length <= 1) return found[0]
    throw new SqlError(
      'The cardinality of a scalar subquery result set cannot be greater than one.',
      {
        code: 'SC2102',
        ...span,
      },
    )
  }
}
