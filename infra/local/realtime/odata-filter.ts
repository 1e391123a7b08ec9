import type { Member } from './hub.ts'
import {
  asBoolean,
  asList,
  COMPARISONS,
  FilterError,
  isIn,
  OPERATIONS,
  type Value,
} from './odata-values.ts'

export type Filter = (member: Member) => boolean
export type ParsedFilter =
  | { readonly valid: true; readonly matches: Filter }
  | { readonly valid: false; readonly message: string }

type Term = (member: Member) => Value

/** Parentheses and `not` may nest this deep. */
const MAX_DEPTH = 100

/**
 * Parses an OData filter over `userId`, `connectionId` and `groups` (learn.microsoft.com, Web PubSub "OData filter
 * syntax"). The message of a malformed one is the service's own. An empty filter matches everybody.
 */
export function parseFilter(text: string | null | undefined): ParsedFilter {
  if (!text) return { valid: true, matches: () => true }
  try {
    const term = new Parser(text).parse()
    const matches: Filter = (member) => asBoolean(term(member))
    // types show only when evaluated, and must be refused before anything is sent
    matches({ id: '', userId: 'a', groups: new Set() })
    return { valid: true, matches: (member) => attempt(matches, member) }
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    return {
      valid: false,
      message: `Invalid syntax for '${text}': ${error.message} (Parameter 'filter')`,
    }
  }
}

/** A value that is null for this member only makes the filter not match it. */
function attempt(matches: Filter, member: Member): boolean {
  try {
    return matches(member)
  } catch (error) {
    if (error instanceof FilterError) return false
    throw error
  }
}

interface Token {
  readonly kind: 'text' | 'number' | 'word' | 'mark' | 'end'
  readonly text: string
  /** Where the token ends: the position that the service reports. */
  readonly end: number
}

const TOKEN = /\s*(?:'(?<text>(?:[^']|'')*)'|(?<number>[+-]?\d+)|(?<word>[A-Za-z_]\w*)|(?<mark>.))/y

function* tokenize(source: string): Generator<Token> {
  const end = source.trimEnd().length
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at
    const found = TOKEN.exec(source)?.groups ?? {}
    for (const kind of ['text', 'number', 'word', 'mark'] as const) {
      const text = found[kind]
      if (text !== undefined) yield { kind, text: text.replaceAll("''", "'"), end: TOKEN.lastIndex }
    }
  }
  yield { kind: 'end', text: '', end }
}

const IDENTIFIERS: Readonly<Record<string, Term>> = {
  userid: ({ userId }) => userId ?? null,
  connectionid: ({ id }) => id,
  groups: ({ groups }) => [...groups],
}

/** Recursive descent by precedence: or, and, comparison and `in`, not, primary. */
class Parser {
  readonly #source: string
  readonly #tokens: Token[]
  #depth = 0

  constructor(source: string) {
    this.#source = source
    this.#tokens = [...tokenize(source)]
  }

  parse(): Term {
    const term = this.#or()
    if (this.#peek().kind !== 'end') throw this.#unexpected()
    return term
  }

  #or(): Term {
    let left = this.#and()
    while (this.#takeWord('or')) {
      const [a, b] = [left, this.#and()]
      left = (member) => [asBoolean(a(member)), asBoolean(b(member))].includes(true)
    }
    return left
  }

  #and(): Term {
    let left = this.#comparison()
    while (this.#takeWord('and')) {
      const [a, b] = [left, this.#comparison()]
      left = (member) => ![asBoolean(a(member)), asBoolean(b(member))].includes(false)
    }
    return left
  }

  #comparison(): Term {
    const left = this.#unary()
    if (this.#takeWord('in')) return this.#in(left)
    const compare = COMPARISONS[this.#peek().kind === 'word' ? this.#peek().text : '']
    if (!compare) return left
    this.#next()
    const right = this.#unary()
    return (member) => compare(left(member), right(member))
  }

  #in(left: Term): Term {
    if (this.#peek().text !== '(' || this.#peek().kind !== 'mark') {
      const list = this.#unary()
      return (member) => isIn(left(member), asList(list(member)))
    }
    this.#next()
    const items = this.#list()
    return (member) => items.some((item) => item(member) === left(member))
  }

  #unary(): Term {
    if (!this.#takeWord('not')) return this.#primary()
    return this.#nested(() => {
      const operand = this.#unary()
      return (member) => !asBoolean(operand(member))
    })
  }

  #primary(): Term {
    const token = this.#next()
    switch (token.kind) {
      case 'text':
        return () => token.text
      case 'number':
        return () => Number(token.text)
      case 'word':
        return this.#named(token)
      case 'mark':
        return token.text === '(' ? this.#group() : this.#fail(token)
      case 'end':
        return this.#fail(token)
    }
  }

  #group(): Term {
    return this.#nested(() => {
      const inner = this.#or()
      this.#expect(')')
      return inner
    })
  }

  #named(token: Token): Term {
    const literals: Readonly<Record<string, Value>> = { true: true, false: false, null: null }
    const literal = literals[token.text]
    if (literal !== undefined) return () => literal
    if (this.#peek().text === '(' && this.#peek().kind === 'mark') return this.#call(token.text)
    const identifier = IDENTIFIERS[token.text.toLowerCase()]
    // the service reports the place where it noticed: after a stray word, the end of the next one
    if (!identifier && this.#peek().kind !== 'end') throw this.#unexpected()
    if (!identifier) throw new FilterError(`'${token.text}' is not supported.`)
    return identifier
  }

  #call(name: string): Term {
    const operation = OPERATIONS[name]
    if (!operation) throw new FilterError(`The function '${name}' is not supported.`)
    this.#next()
    const items = this.#list()
    if (!operation.takes.includes(items.length))
      throw new FilterError(`The function '${name}' does not take ${items.length} arguments.`)
    return (member) => {
      const values = items.map((item) => item(member))
      return values.includes(null) ? operation.ofNull : operation.of(...values)
    }
  }

  /** The rest of a parenthesised list. */
  #list(): readonly Term[] {
    return this.#nested(() => {
      const items = [this.#or()]
      while (this.#peek().text === ',' && this.#next()) items.push(this.#or())
      this.#expect(')')
      return items
    })
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new FilterError('The filter nests too deeply.')
    const result = read()
    this.#depth -= 1
    return result
  }

  #peek(): Token {
    return this.#tokens[0] ?? { kind: 'end', text: '', end: this.#source.length }
  }

  #next(): Token {
    const token = this.#peek()
    this.#tokens.shift()
    return token
  }

  #takeWord(word: string): boolean {
    const isHere = this.#peek().kind === 'word' && this.#peek().text === word
    if (isHere) this.#next()
    return isHere
  }

  #expect(mark: string): void {
    if (this.#peek().kind !== 'mark' || this.#peek().text !== mark) throw this.#unexpected()
    this.#next()
  }

  #unexpected(): FilterError {
    return new FilterError(`Syntax error at position ${this.#peek().end} in '${this.#source}'.`)
  }

  #fail(token: Token): never {
    throw new FilterError(`Syntax error at position ${token.end} in '${this.#source}'.`)
  }
}
