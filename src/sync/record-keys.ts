import { hashOf } from '../core/canonical-json.ts'
import { keysOf } from './dedupe/blocking.ts'
import type { RecordDocument } from './record.ts'
import type { Side } from './side.ts'

const HASH_LENGTH = 16

/** By which new rows of these sides find the record. Hashed: values of records do not belong into an index by name. */
export function recordKeys(
  fields: RecordDocument['fields'],
  sides: readonly Side[],
): readonly string[] {
  return sides.flatMap(({ connectionId, duplicates }) =>
    duplicates
      ? keysOf(fields, duplicates.keys).map((key) =>
          hashOf([connectionId, key]).slice(0, HASH_LENGTH),
        )
      : [],
  )
}
