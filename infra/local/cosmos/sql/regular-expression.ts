import { createContext, Script } from 'node:vm'
import { SqlError } from './sql-error.ts'

/** Longer patterns are refused. */
const MAX_PATTERN_CHARACTERS = 1_000
/** Compiled patterns kept for the next row. */
const MAX_KEPT_PATTERNS = 64
/** One match may take so long; the query that asks for more of it is refused. */
const MATCH_TIMEOUT_MS = 250
/** Steps that a pattern may take without being watched, at the worst. */
const MAX_UNWATCHED_STEPS = 1e9

interface Pattern {
  readonly expression: RegExp
  readonly quantifiers: number
  /** Something that repeats within something that repeats can take exponential time: `^(a+)+$`. */
  readonly mayExplode: boolean
}

const kept = new Map<string, Pattern | undefined>()

/** RegexMatch: modifiers are of i, m, s and x; undefined for a pattern or modifiers that are none. */
export function matchesPattern(
  text: string,
  { pattern, modifiers }: { readonly pattern: string; readonly modifiers: string },
): boolean | undefined {
  const key = `${modifiers}/${pattern}`
  if (!kept.has(key)) {
    if (kept.size >= MAX_KEPT_PATTERNS) kept.clear()
    kept.set(key, compilePattern(pattern, modifiers))
  }
  const found = kept.get(key)
  if (found === undefined) return undefined
  // Each quantifier may try every length of text, at every place of it.
  const worst = text.length ** (found.quantifiers + 1)
  const isHarmless = !found.mayExplode && worst <= MAX_UNWATCHED_STEPS
  return isHarmless ? found.expression.test(text) : watchedTest(found.expression, text)
}

const watched = createContext({ expression: /(?:)/, text: '' })
const script = new Script('expression.test(text)')

/** A hundred times slower for a short text, but it ends. */
function watchedTest(expression: RegExp, text: string): boolean {
  Object.assign(watched, { expression, text })
  try {
    return script.runInContext(watched, { timeout: MATCH_TIMEOUT_MS }) === true
  } catch {
    throw new SqlError(`The pattern did not match within ${MATCH_TIMEOUT_MS} ms.`, {
      code: 'SC3020',
    })
  }
}

function compilePattern(pattern: string, modifiers: string): Pattern | undefined {
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    throw new SqlError(`A pattern is at most ${MAX_PATTERN_CHARACTERS} characters long.`, {
      code: 'SC3020',
    })
  }
  if (!/^[imsx]*$/.test(modifiers)) return undefined
  const flags = [...new Set(modifiers.replaceAll('x', ''))].join('')
  try {
    return {
      expression: new RegExp(modifiers.includes('x') ? withoutSpace(pattern) : pattern, flags),
      quantifiers: pattern.match(/[*+{]/g)?.length ?? 0,
      mayExplode: /\)\s*[*+{]|\\[1-9k]/.test(pattern),
    }
  } catch {
    return undefined
  }
}

/** The modifier x: white space outside a set means nothing. */
function withoutSpace(pattern: string): string {
  return pattern.replace(/\\[^]|\[(?:\\[^]|[^\]\\])*\]|\s+/g, (found) =>
    found.trim() === '' ? '' : found,
  )
}
