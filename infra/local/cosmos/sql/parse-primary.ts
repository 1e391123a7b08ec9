import type { Expression } from './ast.ts'
import {
  advance,
  atSymbol,
  atWord,
  type Cursor,
  expectName,
  expectSymbol,
  fail,
  nested,
  parseList,
  peek,
  spanFrom,
  takeSymbol,
  takeWord,
} from './cursor.ts'

type ParseExpression = (cursor: Cursor) => Expression

const CONSTANTS: ReadonlyMap<string, boolean | null | undefined> = new Map([
  ['TRUE', true],
  ['FALSE', false],
  ['NULL', null],
  ['UNDEFINED', undefined],
])

/** What an operator can stand beside: a constant, a name, a call, a literal, or something in parentheses. */
export function parsePrimary(cursor: Cursor, parseExpression: ParseExpression): Expression {
  const token = peek(cursor)
  switch (token.kind) {
    case 'number':
      return { kind: 'literal', value: Number(advance(cursor).text) }
    case 'string':
      return { kind: 'literal', value: advance(cursor).text }
    case 'parameter':
      return { kind: 'parameter', name: advance(cursor).text }
    case 'symbol':
      return parseBracketed(cursor, parseExpression)
    case 'name':
      return parseWord(cursor, parseExpression)
    case 'end':
      throw fail(cursor)
  }
}

function parseBracketed(cursor: Cursor, parseExpression: ParseExpression): Expression {
  if (atSymbol(cursor, '[')) return parseArray(cursor, parseExpression)
  if (atSymbol(cursor, '{')) return parseObject(cursor, parseExpression)
  if (!atSymbol(cursor, '(')) throw fail(cursor)
  if (atWord(cursor, 'SELECT', 1)) return parseSubquery(cursor, 'scalar')
  advance(cursor)
  const inner = parseExpression(cursor)
  expectSymbol(cursor, ')')
  return inner
}

function parseSubquery(cursor: Cursor, form: 'exists' | 'array' | 'scalar'): Expression {
  const { start } = peek(cursor)
  expectSymbol(cursor, '(')
  const query = nested(cursor, cursor.parseQuery)
  expectSymbol(cursor, ')')
  return { kind: 'subquery', form, query, span: spanFrom(cursor, start) }
}

function parseArray(cursor: Cursor, parseExpression: ParseExpression): Expression {
  expectSymbol(cursor, '[')
  if (takeSymbol(cursor, ']')) return { kind: 'array', items: [] }
  const items = parseList(cursor, parseExpression)
  expectSymbol(cursor, ']')
  return { kind: 'array', items }
}

function parseObject(cursor: Cursor, parseExpression: ParseExpression): Expression {
  expectSymbol(cursor, '{')
  if (takeSymbol(cursor, '}')) return { kind: 'object', properties: [] }
  const properties = parseList(cursor, () => {
    const key = advance(cursor)
    if (key.kind !== 'string' && key.kind !== 'name') {
      cursor.index -= 1
      throw fail(cursor)
    }
    expectSymbol(cursor, ':')
    return { name: key.text, value: parseExpression(cursor) }
  })
  expectSymbol(cursor, '}')
  return { kind: 'object', properties }
}

function parseWord(cursor: Cursor, parseExpression: ParseExpression): Expression {
  const { upper, start } = peek(cursor)
  if (CONSTANTS.has(upper)) {
    advance(cursor)
    return { kind: 'literal', value: CONSTANTS.get(upper) }
  }
  if (takeWord(cursor, 'EXISTS')) return parseSubquery(cursor, 'exists')
  if (takeWord(cursor, 'ARRAY')) return parseSubquery(cursor, 'array')
  const userDefined = takeWord(cursor, 'UDF')
  if (userDefined) expectSymbol(cursor, '.')
  const name = expectName(cursor)
  const span = spanFrom(cursor, start)
  if (!takeSymbol(cursor, '(')) {
    if (userDefined) throw fail(cursor)
    return { kind: 'name', name, span }
  }
  const values = atSymbol(cursor, ')') ? [] : parseList(cursor, parseExpression)
  expectSymbol(cursor, ')')
  return { kind: 'call', name: userDefined ? name : name.toUpperCase(), userDefined, values, span }
}
