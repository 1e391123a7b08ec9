import type { BinaryOperator, Expression } from './ast.ts'
import {
  advance,
  atSymbol,
  atWord,
  type Cursor,
  expectName,
  expectSymbol,
  expectWord,
  nested,
  parseList,
  peek,
  takeSymbol,
  takeWord,
} from './cursor.ts'
import { parsePrimary } from './parse-primary.ts'

/** How tightly the left-associative operators bind; comparisons and what follows a value are level 1. */
const LEVELS: ReadonlyMap<string, { readonly level: number; readonly operator: BinaryOperator }> =
  new Map(
    (
      [
        ['=', '!=', '<>', '<', '<=', '>', '>='],
        ['|'],
        ['^'],
        ['&'],
        ['<<', '>>', '>>>'],
        ['+', '-', '||'],
        ['*', '/', '%'],
      ] as const
    ).flatMap((symbols, index) =>
      symbols.map((symbol) => [
        symbol,
        { level: index + 1, operator: symbol === '<>' ? '!=' : symbol },
      ]),
    ),
  )

const COMPARISON = 1

/** expression ::= coalesced [ ? expression : expression ] */
export function parseExpression(cursor: Cursor): Expression {
  return nested(cursor, parseConditional)
}

function parseConditional(cursor: Cursor): Expression {
  const test = parseCoalesced(cursor)
  if (!takeSymbol(cursor, '?')) return test
  const yes = parseExpression(cursor)
  expectSymbol(cursor, ':')
  return { kind: 'conditional', test, yes, no: parseExpression(cursor) }
}

function parseCoalesced(cursor: Cursor): Expression {
  let left = parseDisjunction(cursor)
  while (takeSymbol(cursor, '??')) {
    left = { kind: 'binary', operator: '??', left, right: parseDisjunction(cursor) }
  }
  return left
}

function parseDisjunction(cursor: Cursor): Expression {
  const operands = [parseConjunction(cursor)]
  while (takeWord(cursor, 'OR')) operands.push(parseConjunction(cursor))
  return joined('or', operands)
}

function parseConjunction(cursor: Cursor): Expression {
  const operands = [parseNegation(cursor)]
  while (takeWord(cursor, 'AND')) operands.push(parseNegation(cursor))
  return joined('and', operands)
}

function joined(kind: 'and' | 'or', operands: readonly Expression[]): Expression {
  const [only] = operands
  return operands.length === 1 && only !== undefined ? only : { kind, operands }
}

function parseNegation(cursor: Cursor): Expression {
  if (!takeWord(cursor, 'NOT')) return parseOperators(cursor, COMPARISON)
  return { kind: 'not', operand: nested(cursor, parseNegation) }
}

function parseOperators(cursor: Cursor, lowest: number): Expression {
  let left = parsePrefixed(cursor)
  for (;;) {
    const found = peek(cursor).kind === 'symbol' ? LEVELS.get(peek(cursor).text) : undefined
    if (found !== undefined && found.level >= lowest) {
      advance(cursor)
      const right = parseOperators(cursor, found.level + 1)
      left = { kind: 'binary', operator: found.operator, left, right }
    } else {
      const tested = lowest <= COMPARISON ? parseTest(cursor, left) : undefined
      if (tested === undefined) return left
      left = tested
    }
  }
}

/** IN, BETWEEN and LIKE, each with an optional NOT before it. */
function parseTest(cursor: Cursor, value: Expression): Expression | undefined {
  const negated = atWord(cursor, 'NOT')
  const word = peek(cursor, negated ? 1 : 0)
  const parse = word.kind === 'name' ? TESTS.get(word.upper) : undefined
  if (parse === undefined) return undefined
  cursor.index += negated ? 2 : 1
  const test = parse(cursor, value)
  return negated ? { kind: 'not', operand: test } : test
}

const TESTS: ReadonlyMap<string, (cursor: Cursor, value: Expression) => Expression> = new Map([
  ['IN', parseIn],
  ['BETWEEN', parseBetween],
  ['LIKE', parseLike],
])

function parseIn(cursor: Cursor, value: Expression): Expression {
  expectSymbol(cursor, '(')
  const options = parseList(cursor, parseExpression)
  expectSymbol(cursor, ')')
  return { kind: 'in', value, options }
}

function parseBetween(cursor: Cursor, value: Expression): Expression {
  const low = parseOperators(cursor, COMPARISON + 1)
  expectWord(cursor, 'AND')
  return { kind: 'between', value, low, high: parseOperators(cursor, COMPARISON + 1) }
}

function parseLike(cursor: Cursor, value: Expression): Expression {
  const pattern = parseOperators(cursor, COMPARISON + 1)
  const escape = takeWord(cursor, 'ESCAPE') ? parsePrimary(cursor, parseExpression) : undefined
  return { kind: 'like', value, pattern, escape }
}

function parsePrefixed(cursor: Cursor): Expression {
  const { kind, text } = peek(cursor)
  if (kind === 'symbol' && (text === '-' || text === '+' || text === '~')) {
    advance(cursor)
    return { kind: 'unary', operator: text, operand: nested(cursor, parsePrefixed) }
  }
  return parseMembers(cursor, parsePrimary(cursor, parseExpression))
}

function parseMembers(cursor: Cursor, start: Expression): Expression {
  let of = start
  while (atSymbol(cursor, '.') || atSymbol(cursor, '[')) {
    of = { kind: 'member', of, key: parseKey(cursor) }
  }
  return of
}

function parseKey(cursor: Cursor): Expression {
  if (takeSymbol(cursor, '.')) return { kind: 'literal', value: expectName(cursor) }
  expectSymbol(cursor, '[')
  const key = parseExpression(cursor)
  expectSymbol(cursor, ']')
  return key
}
