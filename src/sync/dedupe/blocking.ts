import type { JsonObject } from '../../core/canonical-json.ts'
import { digits, plain, sound, wordsOf } from './normalise.ts'

/** How a part of a key is made of a field. */
export const keyParts = ['exact', 'sound', 'start', 'digits', 'words'] as const

/** One way to say that two records are worth comparing: all its parts are the same. */
export interface KeyRule {
  readonly parts: readonly { readonly field: string; readonly by: (typeof keyParts)[number] }[]
}

const START_LENGTH = 4

const makers: Readonly<
  Record<(typeof keyParts)[number], (value: JsonObject[string] | undefined) => readonly string[]>
> = {
  exact: (value) => [plain(value)],
  sound: (value) => [sound(value)],
  start: (value) => [plain(value).slice(0, START_LENGTH)],
  digits: (value) => [digits(value)],
  words: (value) => wordsOf(value).filter((word) => word.length >= START_LENGTH),
}

/** The keys of a record: records that share none are not compared. A rule with an empty part gives none. */
export function keysOf(fields: JsonObject, rules: readonly KeyRule[]): readonly string[] {
  const keys = rules.flatMap(({ parts }, rule) =>
    parts.reduce<readonly string[]>(
      (starts, { field, by }) =>
        makers[by](fields[field])
          .filter((part) => part !== '')
          .flatMap((part) => starts.map((start) => `${start}|${part}`)),
      [String(rule)],
    ),
  )
  return [...new Set(keys)]
}
