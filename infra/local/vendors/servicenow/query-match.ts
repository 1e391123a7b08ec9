import type { EncodedQuery, Term } from './encoded-query.ts'
import type { Column } from './schema.ts'
import { toStamp, fromLocalStamp, type Row } from './values.ts'

export type RowTest = (row: Row) => boolean
type ValueTest = (value: string) => boolean

/** What a condition needs to know about the instance. */
export interface MatchContext {
  readonly column: (path: string) => Column | undefined
  /** Reads a field, or a field of a referenced record by a dot-walk. */
  readonly read: (row: Row, path: string) => string
  readonly nowMs: number
  /** The time zone of the user who asks. */
  readonly timeZone: string
  readonly userSysId: string
  readonly isA: (className: string, table: string) => boolean
}

/** Compiles a query into a test of one row. An empty query matches everything. */
export function compileQuery(query: EncodedQuery, context: MatchContext): RowTest {
  const groups = query.groups.map((clauses) => {
    const tests = clauses.map((terms) => anyOf(terms.map((term) => compileTerm(term, context))))
    return (row: Row) => tests.every((test) => test(row))
  })
  return anyOf(groups)
}

function anyOf(tests: readonly RowTest[]): RowTest {
  const [only] = tests
  return only && tests.length === 1 ? only : (row) => tests.some((test) => test(row))
}

function compileTerm({ field, operator, value }: Term, context: MatchContext): RowTest {
  if (operator === 'SAMEAS' || operator === 'NSAMEAS') {
    const wanted = operator === 'SAMEAS'
    return (row) => (context.read(row, field) === context.read(row, value)) === wanted
  }
  const test = testOf(operator, evaluate(value, context), {
    ...context,
    column: () => context.column(field),
  })
  return field.includes('.')
    ? (row) => test(context.read(row, field))
    : (row) => test(row[field] ?? '')
}

/** Texts are compared without regard to case, as the instance's database does [remembered]. */
function testOf(operator: string, operand: string, context: MatchContext): ValueTest {
  const lower = operand.toLowerCase()
  const isSame = (value: string) =>
    value === operand || (value.length === operand.length && value.toLowerCase() === lower)
  const order = context.column('')?.kind === 'integer' ? byNumber : byText
  const known = (test: ValueTest) => (value: string) => value !== '' && test(value)
  const includes = (value: string) => value.toLowerCase().includes(lower)
  const members = new Set(lower.split(',').map((member) => member.trim()))
  switch (operator) {
    case '=':
      return isSame
    case '!=':
      return (value) => !isSame(value)
    case '<':
      return known((value) => order(value, operand) < 0)
    case '<=':
      return known((value) => order(value, operand) <= 0)
    case '>':
      return known((value) => order(value, operand) > 0)
    case '>=':
      return known((value) => order(value, operand) >= 0)
    case 'LIKE':
      return includes
    case 'NOT LIKE':
      return (value) => !includes(value)
    case 'STARTSWITH':
      return (value) => value.toLowerCase().startsWith(lower)
    case 'ENDSWITH':
      return (value) => value.toLowerCase().endsWith(lower)
    case 'IN':
      return (value) => members.has(value.toLowerCase())
    case 'NOT IN':
      return (value) => !members.has(value.toLowerCase())
    case 'ISEMPTY':
    case 'EMPTYSTRING':
      return (value) => value === ''
    case 'ISNOTEMPTY':
      return (value) => value !== ''
    case 'BETWEEN': {
      const [from = '', until = ''] = operand.split('@').map((end) => evaluate(end, context))
      return known((value) => order(value, from) >= 0 && order(value, until) <= 0)
    }
    case 'DYNAMIC':
      return (value) => value === context.userSysId
    case 'INSTANCEOF':
      return (value) => context.isA(value, operand)
    default:
      return () => true
  }
}

function byText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b)
}

const MS_PER_UNIT = { minutesAgo: 60_000, hoursAgo: 3_600_000, daysAgo: 86_400_000 }

/** A literal date is UTC; `javascript:gs.dateGenerate(…)` is the user's zone (facts A2, Values). */
function evaluate(value: string, { nowMs, timeZone, userSysId }: MatchContext): string {
  if (!value.startsWith('javascript:')) return value
  const script = value.slice('javascript:'.length).replace(/;$/, '').trim()
  const date = /^gs\.dateGenerate\('([\d-]+)',\s*'([\d:]+)'\)$/.exec(script)
  if (date) return fromLocalStamp(`${date[1] ?? ''} ${date[2] ?? ''}`, timeZone)
  const ago = /^gs\.(minutesAgo|hoursAgo|daysAgo)\((\d+)\)$/.exec(script)
  if (ago?.[1] && ago[1] in MS_PER_UNIT) {
    const unit = MS_PER_UNIT[ago[1] as keyof typeof MS_PER_UNIT] // the line above asked
    return toStamp(nowMs - Number(ago[2]) * unit)
  }
  if (script === 'gs.getUserID()') return userSysId
  return value
}
