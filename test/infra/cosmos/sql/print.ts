import type { Expression } from '../../../../infra/local/cosmos/sql/ast.ts'

/** Writes an expression as query text, with parentheses wherever they may be. Subqueries are not printed. */
export function print(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return expression.value === undefined ? 'undefined' : JSON.stringify(expression.value)
    case 'parameter':
    case 'name':
      return expression.name
    case 'member':
      return `${inner(expression.of)}[${print(expression.key)}]`
    case 'unary':
      return `${expression.operator} ${inner(expression.operand)}`
    case 'not':
      return `NOT ${inner(expression.operand)}`
    case 'and':
    case 'or':
      return expression.operands.map(inner).join(` ${expression.kind.toUpperCase()} `)
    case 'binary':
      return `${inner(expression.left)} ${expression.operator} ${inner(expression.right)}`
    case 'conditional':
      return `${inner(expression.test)} ? ${inner(expression.yes)} : ${inner(expression.no)}`
    case 'in':
      return `${inner(expression.value)} IN (${expression.options.map(print).join(', ')})`
    case 'between':
      return `${inner(expression.value)} BETWEEN ${inner(expression.low)} AND ${inner(expression.high)}`
    case 'like': {
      const escape = expression.escape ? ` ESCAPE ${inner(expression.escape)}` : ''
      return `${inner(expression.value)} LIKE ${inner(expression.pattern)}${escape}`
    }
    case 'call': {
      const name = expression.userDefined ? `udf.${expression.name}` : expression.name
      return `${name}(${expression.values.map(print).join(', ')})`
    }
    case 'object': {
      const properties = expression.properties.map(
        ({ name, value }) => `${JSON.stringify(name)}: ${print(value)}`,
      )
      return `{${properties.join(', ')}}`
    }
    case 'array':
      return `[${expression.items.map(print).join(', ')}]`
    case 'subquery':
      throw new TypeError('subqueries are not printed')
  }
}

function inner(expression: Expression): string {
  const text = print(expression)
  return expression.kind === 'name' || expression.kind === 'parameter' ? text : `(${text})`
}
