/** A literal as it stands in a query. */
export type Literal =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'instant'; readonly ms: number }
  | { readonly kind: 'null' }

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'LIKE' | 'IN' | 'NOT IN'

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | {
      readonly kind: 'compare'
      readonly field: string
      readonly operator: Operator
      readonly values: readonly Literal[]
    }

export interface Query {
  /** Empty for `COUNT()`. */
  readonly fields: readonly string[]
  readonly object: string
  readonly where: Condition | undefined
  readonly orders: readonly { readonly field: string; readonly descending: boolean }[]
  readonly limit: number | undefined
  readonly offset: number
}

/** A query that is not understood, in the API's words. */
export class SoqlError extends Error {
  readonly code: string
  constructor(message: string, code = 'MALFORMED_QUERY') {
    super(message)
    this.name = 'SoqlError'
    this.code = code
  }
}

const TOKEN =
  /\s*(?:('(?:[^'\\]|\\.)*')|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w.]*)|(<=|>=|!=|<>|[=<>(),]))/y

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  const pattern = new RegExp(TOKEN)
  while (text.slice(pattern.lastIndex).trim() !== '') {
    const at = pattern.lastIndex
    const found = pattern.exec(text)
    if (!found) throw new SoqlError(`unexpected token: '${text.slice(at, at + 20).trim()}'`)
    tokens.push(found[0].trim())
  }
  return tokens
}

/** `SELECT … FROM … [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]`. Throws SoqlError. */
export function parseSoql(text: string): Query {
  const reader = new Reader(tokensOf(text))
  reader.take('SELECT')
  const fields = reader.list()
  reader.take('FROM')
  const object = reader.next()
  const where = reader.skip('WHERE') ? condition(reader) : undefined
  const orders = reader.skip('ORDER') ? ordersOf(reader) : []
  const limit = reader.skip('LIMIT') ? count(reader) : undefined
  const offset = reader.skip('OFFSET') ? count(reader) : 0
  if (reader.skip('ALL')) reader.take('ROWS')
  if (!reader.isDone()) throw new SoqlError(`unexpected token: '${reader.next()}'`)
  return { fields, object, where, orders, limit, offset }
}

class Reader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  isDone(): boolean {
    return this.#at >= this.#tokens.length
  }

  is(word: string): boolean {
    return this.#tokens[this.#at]?.toUpperCase() === word
  }

  next(): string {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new SoqlError('unexpected end of the query')
    this.#at += 1
    return token
  }

  skip(word: string): boolean {
    if (!this.is(word)) return false
    this.#at += 1
    return true
  }

  take(word: string): void {
    if (!this.skip(word))
      throw new SoqlError(`expecting '${word}', found '${this.#tokens[this.#at] ?? 'the end'}'`)
  }

  /** Names with commas between; none for `COUNT()`. */
  list(): string[] {
    const names = [this.next()]
    if (names[0]?.toUpperCase() === 'COUNT' && this.skip('(')) {
      this.take(')')
      return []
    }
    while (this.skip(',')) names.push(this.next())
    return names
  }
}

function ordersOf(reader: Reader): Query['orders'] {
  reader.take('BY')
  const orders: { field: string; descending: boolean }[] = []
  do {
    const field = reader.next()
    const descending = reader.skip('DESC')
    if (!descending) reader.skip('ASC')
    if (reader.skip('NULLS') && !reader.skip('FIRST')) reader.take('LAST')
    orders.push({ field, descending })
  } while (reader.skip(','))
  return orders
}

function count(reader: Reader): number {
  const number = Number(reader.next())
  if (!Number.isInteger(number) || number < 0) throw new SoqlError('expecting a number of rows')
  return number
}

/** AND and OR do not stand beside each other without parentheses. */
function condition(reader: Reader): Condition {
  const parts = [simple(reader)]
  const word = reader.is('OR') ? 'OR' : 'AND'
  while (reader.skip(word)) parts.push(simple(reader))
  if (reader.is('AND') || reader.is('OR'))
    throw new SoqlError(`unexpected token: '${reader.next()}'`)
  const [only] = parts
  return parts.length === 1 && only ? only : { kind: word === 'OR' ? 'or' : 'and', parts }
}

function simple(reader: Reader): Condition {
  if (reader.skip('NOT')) return { kind: 'not', part: simple(reader) }
  if (reader.skip('(')) {
    const inner = condition(reader)
    reader.take(')')
    return inner
  }
  const field = reader.next()
  const operator = operatorOf(reader)
  if (operator !== 'IN' && operator !== 'NOT IN')
    return { kind: 'compare', field, operator, values: [literal(reader.next())] }
  reader.take('(')
  const values = [literal(reader.next())]
  while (reader.skip(',')) values.push(literal(reader.next()))
  reader.take(')')
  return { kind: 'compare', field, operator, values }
}

function operatorOf(reader: Reader): Operator {
  const word = reader.next().toUpperCase()
  switch (word) {
    case '=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '!=':
    case 'LIKE':
    case 'IN':
      return word
    case '<>':
      return '!='
    case 'NOT':
      reader.take('IN')
      return 'NOT IN'
    default:
      throw new SoqlError(`unknown operator: '${word}'`)
  }
}

function literal(token: string): Literal {
  if (token.startsWith("'"))
    return { kind: 'text', value: token.slice(1, -1).replace(/\\(.)/g, '$1') }
  if (/^(true|false)$/i.test(token))
    return { kind: 'boolean', value: token.toLowerCase() === 'true' }
  if (/^null$/i.test(token)) return { kind: 'null' }
  if (/^\d{4}-.*T/.test(token))
    return { kind: 'instant', ms: Date.parse(token.replace(/([+-]\d\d)(\d\d)$/, '$1:$2')) }
  const value = Number(token)
  if (Number.isNaN(value)) throw new SoqlError(`unexpected token: '${token}'`)
  return { kind: 'number', value }
}
