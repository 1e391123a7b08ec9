import type { JsonObject } from '../../src/core/canonical-json.ts'
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import { decode } from '../../src/sync/mapping.ts'
import { mergeRow, recordOf } from '../../src/sync/merge.ts'
import type { IncomingRow, RecordDocument } from '../../src/sync/record.ts'
import { policyOf, type Side } from '../../src/sync/side.ts'
import { startServiceNow } from '../../infra/local/vendors/servicenow.ts'
import { beside, type Bench } from './harness.ts'

const ROWS = 2_000
const REPEATS = 5
const key = { tenantId: 'tenant', entityType: 'incident', connectionId: 'conn' }
const now = new Date('2026-01-01T00:00:00Z')

interface Case {
  readonly record: RecordDocument
  readonly row: IncomingRow
}

/** The merge alone, as a pure function, on what both sides have changed. */
export const merge: Bench = {
  name: 'merge',
  summary: `${ROWS} rows of 20 fields merged into their records: nothing changed, one field each side, the same field on both`,
  run: async (progress, rounds) => {
    const stream = servicenow.configure({ entityType: 'incident' })
    if (!stream) throw new Error('there is no stream of incidents')
    const side: Side = {
      connectionId: key.connectionId,
      integrationId: 'servicenow',
      mapping: stream.mapping,
      policy: policyOf({ conflictStrategy: 'local_wins' }),
      duplicates: undefined,
      pushes: true,
    }
    const records = await makeRecords(side)
    const kinds = {
      unchanged: records.map((record) => caseOf(record, {}, {})),
      two_fields: records.map((record) =>
        caseOf(record, { category: 'ours' }, { shortDescription: 'theirs' }),
      ),
      conflict: records.map((record) =>
        caseOf(record, { shortDescription: 'ours' }, { shortDescription: 'theirs' }),
      ),
    }
    return Object.entries(kinds).map(([kind, cases]) => {
      const [values, floors]: [number[], number[]] = [[], []]
      for (let round = 0; round <= rounds; round += 1) {
        progress(`${kind}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
        const ours = perSecond(
          cases,
          ({ record, row }) => mergeRow(record, row, { side, now }).changed,
        )
        const bare = perSecond(cases, ({ record, row }) => bareMerge(record, row) !== undefined)
        if (round > 0) values.push(ours)
        if (round > 0) floors.push(bare)
      }
      return beside({ name: `merge_${kind}`, unit: 'rows/s' }, { values, floors })
    })
  },
}

async function makeRecords(side: Side): Promise<readonly RecordDocument[]> {
  await using instance = await startServiceNow({ count: ROWS })
  const empty = Object.fromEntries(side.mapping.fields.map(({ external }) => [external, '']))
  return instance.control.rows('incident').map((row) => {
    const decoded = decode(side.mapping, { ...empty, ...row })
    if (!decoded.ok) throw decoded.error
    const externalId = row['sys_id'] ?? ''
    const version = { time: '2025-01-01T00:00:00.000Z', count: 1 }
    return recordOf({ externalId, version, fields: decoded.fields }, { key, now })
  })
}

/** A record that we have edited since the last agreement, and its row as the other side has edited it since. */
function caseOf(record: RecordDocument, ours: JsonObject, theirs: JsonObject): Case {
  const link = record.links[key.connectionId]
  const version = { time: '2025-02-01T00:00:00.000Z', count: 2 }
  return {
    record: { ...record, fields: { ...record.fields, ...ours } },
    row: { externalId: link?.externalId ?? '', version, fields: { ...record.fields, ...theirs } },
  }
}

function perSecond(cases: readonly Case[], merged: (one: Case) => boolean): number {
  let changes = 0
  const before = performance.now()
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    for (const one of cases) changes += merged(one) ? 1 : 0
  }
  const seconds = (performance.now() - before) / 1_000
  if (changes % (cases.length * REPEATS) !== 0) throw new Error('the same merge ends differently')
  return (cases.length * REPEATS) / seconds
}

/** Three-way over plain values: compare each field with what was agreed, take the one that moved, agree anew. */
function bareMerge(record: RecordDocument, row: IncomingRow): RecordDocument | undefined {
  const link = record.links[key.connectionId]
  if (!link) return undefined
  const fields: Record<string, JsonObject[string]> = { ...record.fields }
  for (const [name, value] of Object.entries(row.fields)) {
    if (value !== link.base[name] && record.fields[name] === link.base[name]) fields[name] = value
  }
  const agreed = { ...link, base: row.fields, version: row.version }
  return { ...record, fields, links: { ...record.links, [key.connectionId]: agreed } }
}
