import { doubleMetaphone } from 'double-metaphone'
import type { Json } from '../../core/canonical-json.ts'

/** A value as it is compared: lower case, no accents, no punctuation, single blanks. Empty for nothing. */
export function plain(value: Json | undefined): string {
  if (value === undefined || value === null || typeof value === 'object') return ''
  return String(value)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/** The digits of a number that people write in many ways. */
export function digits(value: Json | undefined): string {
  return plain(value).replace(/\D/g, '')
}

/** How the words sound (Double Metaphone, primary codes), in their order; words that are numbers stay as they are. */
export function sound(value: Json | undefined): string {
  return plain(value)
    .split(' ')
    .map((word) => (/^\p{L}+$/u.test(word) ? (doubleMetaphone(word)[0] ?? '') : word))
    .filter((code) => code !== '')
    .join(' ')
}

/** The words in alphabetical order: `smith john` and `john smith` are one. */
export function wordsOf(value: Json | undefined): readonly string[] {
  return plain(value)
    .split(' ')
    .filter((word) => word !== '')
    .sort()
}
