import type { Expression, OrderItem, Query, SelectItem, Selection, Source } from './ast.ts'
import {
  advance,
  atSymbol,
  atWord,
  type Cursor,
  expectName,
  expectSymbol,
  expectWord,
  fail,
  nested,
  parseList,
  peek,
  spanFrom,
  takeAlias,
  takeSymbol,
  takeWord,
} from './cursor.ts'
import { tokenize } from './lexer.ts'
import { parseExpression } from './parse-expression.ts'
import { assertShallow } from './shallow.ts'

/** Parses one SELECT statement. */
export function parseQuery(text: string): Query {
  return parseWhole(text, parseSelect)
}

/** Parses the condition of a PATCH: `from c where ...`, that is a statement without its SELECT. */
export function parseCondition(text: string): Query {
  return parseWhole(text, (cursor) => {
    if (!atWord(cursor, 'FROM')) throw fail(cursor)
    const { start } = peek(cursor)
    const sources = parseFrom(cursor)
    expectWord(cursor, 'WHERE')
    const where = parseExpression(cursor)
    const value: Expression = { kind: 'literal', value: true }
    return {
      ...EMPTY,
      selection: { kind: 'value', value },
      sources,
      where,
      span: spanFrom(cursor, start),
    }
  })
}

const EMPTY = {
  distinct: false,
  top: undefined,
  groupBy: undefined,
  orderBy: [],
  offset: undefined,
  limit: undefined,
} as const

function parseWhole(text: string, parse: (cursor: Cursor) => Query): Query {
  const cursor: Cursor = {
    tokens: tokenize(text),
    parseQuery: parseSelect,
    index: 0,
    nesting: 0,
  }
  const query = parse(cursor)
  if (peek(cursor).kind !== 'end') throw fail(cursor)
  assertShallow(query)
  return query
}

function parseSelect(cursor: Cursor): Query {
  const { start } = peek(cursor)
  expectWord(cursor, 'SELECT')
  const distinct = takeWord(cursor, 'DISTINCT')
  const top = takeWord(cursor, 'TOP') ? parseCount(cursor) : undefined
  const selection = parseSelection(cursor)
  const sources = atWord(cursor, 'FROM') ? parseFrom(cursor) : []
  const where = takeWord(cursor, 'WHERE') ? parseExpression(cursor) : undefined
  const groupBy = takeClause(cursor, 'GROUP') ? parseList(cursor, parseExpression) : undefined
  const orderBy = takeClause(cursor, 'ORDER') ? parseList(cursor, parseOrderItem) : []
  const offset = takeWord(cursor, 'OFFSET') ? parseCount(cursor) : undefined
  // The service takes the two only together; LIMIT alone is a syntax error there.
  if (offset !== undefined) expectWord(cursor, 'LIMIT')
  const limit = offset === undefined ? undefined : parseCount(cursor)
  const span = spanFrom(cursor, start)
  return { distinct, top, selection, sources, where, groupBy, orderBy, offset, limit, span }
}

function takeClause(cursor: Cursor, first: 'GROUP' | 'ORDER'): boolean {
  const found = takeWord(cursor, first)
  if (found) expectWord(cursor, 'BY')
  return found
}

/** TOP, OFFSET and LIMIT take a number or a parameter. */
function parseCount(cursor: Cursor): Expression {
  const { kind } = peek(cursor)
  if (kind === 'number') return { kind: 'literal', value: Number(advance(cursor).text) }
  if (kind === 'parameter') return { kind: 'parameter', name: advance(cursor).text }
  throw fail(cursor)
}

function parseSelection(cursor: Cursor): Selection {
  const { start } = peek(cursor)
  if (takeSymbol(cursor, '*')) return { kind: 'all', span: spanFrom(cursor, start) }
  if (takeWord(cursor, 'VALUE')) return { kind: 'value', value: parseExpression(cursor) }
  return { kind: 'list', items: parseList(cursor, parseSelectItem) }
}

function parseSelectItem(cursor: Cursor): SelectItem {
  return { value: parseExpression(cursor), alias: takeAlias(cursor) }
}

function parseOrderItem(cursor: Cursor): OrderItem {
  const { start } = peek(cursor)
  const value = parseExpression(cursor)
  const span = spanFrom(cursor, start)
  const descending = takeWord(cursor, 'DESC')
  if (!descending) takeWord(cursor, 'ASC')
  return { value, descending, span }
}

function parseFrom(cursor: Cursor): Source[] {
  expectWord(cursor, 'FROM')
  const sources = [parseSource(cursor)]
  while (takeWord(cursor, 'JOIN')) sources.push(parseSource(cursor))
  return sources
}

function parseSource(cursor: Cursor): Source {
  const { start } = peek(cursor)
  if (atWord(cursor, 'IN', 1)) {
    const alias = expectName(cursor)
    expectWord(cursor, 'IN')
    return { ...parseCollection(cursor, start), alias, iterate: true }
  }
  const collection = parseCollection(cursor, start)
  return { ...collection, alias: takeAlias(cursor), iterate: false }
}

type Collection =
  | Omit<Extract<Source, { kind: 'path' }>, 'alias' | 'iterate'>
  | Omit<Extract<Source, { kind: 'query' }>, 'alias' | 'iterate'>

function parseCollection(cursor: Cursor, start: number): Collection {
  if (takeSymbol(cursor, '(')) {
    const query = nested(cursor, parseSelect)
    expectSymbol(cursor, ')')
    return { kind: 'query', query, span: spanFrom(cursor, start) }
  }
  const root = expectName(cursor)
  const keys: (string | number)[] = []
  while (atSymbol(cursor, '.') || atSymbol(cursor, '[')) keys.push(parseStep(cursor))
  return { kind: 'path', root, keys, span: spanFrom(cursor, start) }
}

function parseStep(cursor: Cursor): string | number {
  if (takeSymbol(cursor, '.')) return expectName(cursor)
  expectSymbol(cursor, '[')
  const { kind, text } = advance(cursor)
  if (kind !== 'string' && kind !== 'number') {
    cursor.index -= 1
    throw fail(cursor)
  }
  expectSymbol(cursor, ']')
  return kind === 'string' ? text : Number(text)
}
