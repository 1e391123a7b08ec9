import { SqlError } from './sql-error.ts'

/** The service refuses longer query texts (limits of a query request). */
export const MAX_QUERY_CHARACTERS = 512 * 1024

export interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'parameter' | 'symbol' | 'end'
  /** A name, symbol or parameter as written; the meaning of a string. */
  readonly text: string
  /** A name in upper case, to meet keywords; else as `text`. */
  readonly upper: string
  readonly start: number
  readonly end: number
}

const SPACE = /(?:\s|--[^\r\n]*)+/y
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy
const PARAMETER = /@[\p{L}\p{N}_]+/uy
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
// Unrolled, so that a string without an end is found out in one pass.
const STRING = /"[^"\\]*(?:\\[^][^"\\]*)*"|'[^'\\]*(?:\\[^][^'\\]*)*'/y
const SYMBOL = />>>|<<|>>|<=|>=|<>|!=|\|\||\?\?|[-+*/%=<>&|^~?:,.()[\]{}]/y

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

/** Cuts a query into tokens; the last one is always of kind `end`. */
export function tokenize(text: string): Token[] {
  if (text.length > MAX_QUERY_CHARACTERS) {
    throw new SqlError(
      `The SQL query text exceeded the maximum limit of ${MAX_QUERY_CHARACTERS} characters`,
      { code: 'SC3020' },
    )
  }
  const tokens: Token[] = []
  let position = skip(text, 0)
  while (position < text.length) {
    const token = read(text, position)
    tokens.push(token)
    position = skip(text, token.end)
  }
  tokens.push({ kind: 'end', text: '', upper: '', start: text.length, end: text.length })
  return tokens
}

function skip(text: string, position: number): number {
  return position + (match(SPACE, text, position)?.length ?? 0)
}

function read(text: string, start: number): Token {
  const token = (kind: Token['kind'], raw: string, meaning = raw): Token => {
    const upper = kind === 'name' ? raw.toUpperCase() : meaning
    return { kind, text: meaning, upper, start, end: start + raw.length }
  }
  const name = match(NAME, text, start)
  if (name !== undefined) return token('name', name)
  const parameter = match(PARAMETER, text, start)
  if (parameter !== undefined) return token('parameter', parameter)
  const number = match(NUMBER, text, start)
  if (number !== undefined) return token('number', number)
  const string = match(STRING, text, start)
  if (string !== undefined) return token('string', string, unescape(string, start))
  const symbol = match(SYMBOL, text, start)
  if (symbol !== undefined) return token('symbol', symbol)
  throw syntaxError(text.slice(start, start + 1), start, start + 1)
}

function match(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position
  return pattern.exec(text)?.[0]
}

function unescape(quoted: string, start: number): string {
  return quoted
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (raw, code?: string, letter = '') => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
      if (letter === 'u') throw syntaxError(raw, start, start + quoted.length)
      return ESCAPES.get(letter) ?? letter
    })
}

export function syntaxError(near: string, start: number, end: number): SqlError {
  const message =
    near === ''
      ? 'Syntax error, unexpected end of the query.'
      : `Syntax error, incorrect syntax near '${near}'.`
  return new SqlError(message, { code: 'SC1001', start, end })
}
