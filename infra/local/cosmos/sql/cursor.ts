import type { Query, Span } from './ast.ts'
import { syntaxError, type Token } from './lexer.ts'
import { SqlError } from './sql-error.ts'

/** Parentheses, literals and subqueries inside each other; far beyond what a person writes. */
export const MAX_NESTING = 128

/** A place in the tokens. The parser of expressions reaches the one of queries through it. */
export interface Cursor {
  readonly tokens: readonly Token[]
  readonly parseQuery: (cursor: Cursor) => Query
  index: number
  nesting: number
}

/** Words that never name a property after a dot, nor a table; such a property is written `c["value"]`. */
const RESERVED = new Set(
  (
    'SELECT TOP FROM WHERE ORDER GROUP BY AS JOIN IN VALUE ASC DESC AND OR NOT BETWEEN ' +
    'EXISTS ARRAY DISTINCT LIKE NULL TRUE FALSE UNDEFINED UDF'
  ).split(' '),
)

/** Words that begin the next clause, so that they cannot be an alias without AS. */
const CLAUSES = new Set(['OFFSET', 'LIMIT', 'ESCAPE'])

const END: Token = { kind: 'end', text: '', upper: '', start: 0, end: 0 }

export function peek(cursor: Cursor, ahead = 0): Token {
  return cursor.tokens[cursor.index + ahead] ?? cursor.tokens.at(-1) ?? END
}

export function advance(cursor: Cursor): Token {
  const token = peek(cursor)
  cursor.index += 1
  return token
}

export function fail(cursor: Cursor): SqlError {
  const { text, start, end } = peek(cursor)
  return syntaxError(text, start, end)
}

export function atSymbol(cursor: Cursor, symbol: string): boolean {
  const token = peek(cursor)
  return token.kind === 'symbol' && token.text === symbol
}

export function atWord(cursor: Cursor, word: string, ahead = 0): boolean {
  const token = peek(cursor, ahead)
  return token.kind === 'name' && token.upper === word
}

/** Steps over the symbol if it is next. */
export function takeSymbol(cursor: Cursor, symbol: string): boolean {
  const found = atSymbol(cursor, symbol)
  if (found) cursor.index += 1
  return found
}

/** Steps over the keyword if it is next. */
export function takeWord(cursor: Cursor, word: string): boolean {
  const found = atWord(cursor, word)
  if (found) cursor.index += 1
  return found
}

export function expectSymbol(cursor: Cursor, symbol: string): void {
  if (!takeSymbol(cursor, symbol)) throw fail(cursor)
}

export function expectWord(cursor: Cursor, word: string): void {
  if (!takeWord(cursor, word)) throw fail(cursor)
}

/** A name that is no reserved word. */
export function expectName(cursor: Cursor): string {
  const token = peek(cursor)
  if (token.kind !== 'name' || RESERVED.has(token.upper)) throw fail(cursor)
  return advance(cursor).text
}

/** `AS name`, or a bare name that begins no clause. */
export function takeAlias(cursor: Cursor): string | undefined {
  if (takeWord(cursor, 'AS')) return expectName(cursor)
  const { kind, upper } = peek(cursor)
  const free = kind === 'name' && !RESERVED.has(upper) && !CLAUSES.has(upper)
  return free ? advance(cursor).text : undefined
}

/** From `start` to the last token read. */
export function spanFrom(cursor: Cursor, start: number): Span {
  return { start, end: peek(cursor, -1).end }
}

/** One or more of something, with commas between. */
export function parseList<T>(cursor: Cursor, parse: (cursor: Cursor) => T): T[] {
  const items = [parse(cursor)]
  while (takeSymbol(cursor, ',')) items.push(parse(cursor))
  return items
}

/** Parses something that may hold itself, and refuses a text that would exhaust the stack. */
export function nested<T>(cursor: Cursor, parse: (cursor: Cursor) => T): T {
  cursor.nesting += 1
  if (cursor.nesting > MAX_NESTING) {
    const { start, end } = peek(cursor)
    throw new SqlError(`The query is nested deeper than ${MAX_NESTING} levels.`, {
      code: 'SC3020',
      start,
      end,
    })
  }
  const parsed = parse(cursor)
  cursor.nesting -= 1
  return parsed
}
