/** One condition of an encoded query, as written. */
export interface Term {
  readonly field: string
  readonly operator: string
  readonly value: string
}

export interface Order {
  readonly field: string
  readonly descending: boolean
}

/** Groups are joined by OR (`^NQ`), the clauses of a group by AND (`^`), the terms of a clause by OR (`^OR`). */
export interface EncodedQuery {
  readonly groups: readonly (readonly (readonly Term[])[])[]
  /** Of the whole query, wherever it was written (facts A5). */
  readonly orders: readonly Order[]
  /** Terms that are not understood: an instance passes over them (facts A2, Invalid terms). */
  readonly ignored: readonly string[]
}

/** Tells whether a term makes sense for the table that is asked. */
export type TermCheck = (term: Term) => boolean

const OPERATORS = [
  'NOT LIKE',
  'NOTLIKE',
  'NOT IN',
  'STARTSWITH',
  'ENDSWITH',
  'ISNOTEMPTY',
  'ISEMPTY',
  'EMPTYSTRING',
  'ANYTHING',
  'BETWEEN',
  'INSTANCEOF',
  'DYNAMIC',
  'NSAMEAS',
  'SAMEAS',
  'LIKE',
  'IN',
  '!=',
  '<=',
  '>=',
  '=',
  '<',
  '>',
]
/** Fields are lower case and operators are not, so the longest field is the right one. */
const TERM = new RegExp(`^([a-z0-9_.]+)(${OPERATORS.join('|')})([^]*)$`)

/** Reads an encoded query (facts A2, Encoded query). `^^` is a caret inside a value. Never throws. */
export function parseQuery(encoded: string, makesSense: TermCheck): EncodedQuery {
  const groups: Term[][][] = [[]]
  const orders: Order[] = []
  const ignored: string[] = []
  for (const part of splitAtCarets(encoded)) {
    if (part === '' || part === 'EQ') continue
    const order = /^ORDERBY(DESC)?([a-z0-9_.]+)$/.exec(part.replace(/^NQ/, ''))
    if (part.startsWith('NQ')) groups.push([])
    if (order) {
      const wanted = { field: order[2] ?? '', descending: order[1] !== undefined }
      if (makesSense({ field: wanted.field, operator: '=', value: '' })) orders.push(wanted)
      else ignored.push(part)
      continue
    }
    const joinsWithOr = part.startsWith('OR')
    const term = parseTerm(part.replace(/^(NQ|OR)/, ''))
    if (!term || !makesSense(term)) {
      ignored.push(part)
      continue
    }
    const clauses = groups.at(-1)
    const clause = clauses?.at(-1)
    if (joinsWithOr && clause) clause.push(term)
    else clauses?.push([term])
  }
  return { groups, orders, ignored }
}

function parseTerm(part: string): Term | undefined {
  const [, field, operator, value] = TERM.exec(part) ?? []
  if (field === undefined || operator === undefined || value === undefined) return undefined
  return { field, operator: operator === 'NOTLIKE' ? 'NOT LIKE' : operator, value }
}

function splitAtCarets(encoded: string): string[] {
  const parts = ['']
  for (let at = 0; at < encoded.length; at += 1) {
    const isCaret = encoded[at] === '^'
    const isEscaped = isCaret && encoded[at + 1] === '^'
    if (isEscaped) at += 1
    if (isCaret && !isEscaped) parts.push('')
    else parts.push(`${parts.pop() ?? ''}${encoded[at] ?? ''}`)
  }
  return parts
}
