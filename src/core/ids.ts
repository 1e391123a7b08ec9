import { hash, randomBytes, randomUUID } from 'node:crypto'

/**
 * The same parts give the same id, other parts another: for everything that may be tried twice. It starts with a letter
 * (the Functions host turns digits-only texts into numbers) and holds only what every store allows in an id.
 */
export function idOf(prefix: string, ...parts: readonly string[]): string {
  // Length before text, so that ('ab', 'c') and ('a', 'bc') differ.
  const text = parts.map((part) => `${part.length}:${part}`).join(',')
  return `${prefix}-${hash('sha256', text, 'base64url').slice(0, 27)}`
}

/** An id that nobody has had before. */
export function newId(prefix: string): string {
  return `${prefix}-${randomUUID()}`
}

/** 256 random bits as text, for what nobody may guess. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
