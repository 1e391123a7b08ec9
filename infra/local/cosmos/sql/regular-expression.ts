import { setFlagsFromString } from 'node:v8'
import { SqlError } from './sql-error.ts'

/** Longer patterns are refused. */
const MAX_PATTERN_CHARACTERS = 1_000
/** Compiled patterns kept for the next row. */
const MAX_KEPT_PATTERNS = 64

// A pattern that goes back over the text too often is run by V8's linear engine instead, so that `^(a+)+$` cannot hold
// up the whole emulator. It takes every pattern but those with backreferences, which are refused.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')

const BACKREFERENCE = /\\(?:[1-9]|k<)/

const kept = new Map<string, RegExp | undefined>()

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
  return kept.get(key)?.test(text)
}

function compilePattern(pattern: string, modifiers: string): RegExp | undefined {
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    throw new SqlError(`A pattern is at most ${MAX_PATTERN_CHARACTERS} characters long.`, {
      code: 'SC3020',
    })
  }
  if (BACKREFERENCE.test(pattern)) {
    throw new SqlError('The emulator runs no patterns with backreferences.', { code: 'SC2102' })
  }
  if (!/^[imsx]*$/.test(modifiers)) return undefined
  const flags = [...new Set(modifiers.replaceAll('x', ''))].join('')
  try {
    return new RegExp(modifiers.includes('x') ? withoutSpace(pattern) : pattern, flags)
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
