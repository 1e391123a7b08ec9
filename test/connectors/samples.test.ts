import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { JsonObject } from '../../src/core/canonical-json.ts'
import { github } from '../../src/connectors/github/index.ts'
import { salesforce } from '../../src/connectors/salesforce/index.ts'
import { textAt } from '../../src/connectors/json.ts'
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import type { StreamConfig, VendorRow } from '../../src/connectors/connector.ts'
import { decode, encode } from '../../src/sync/mapping.ts'
import { serve } from './facts/server.ts'
import { readAll, signal } from './rig.ts'
import { salesforceRig } from './rigs.ts'

/** Beside the repository, or beside the folder that its working trees are in. */
const data = ['../../../shared/data', '../../../../shared/data']
  .map((folder) => path.join(import.meta.dirname, folder))
  .find((folder) => existsSync(folder))
const missing = 'the sample data is not beside the repository'

function read<T>(file: string, shape: z.ZodType<T>): T {
  return shape.parse(JSON.parse(readFileSync(path.join(data ?? '', file), 'utf8')))
}

const rowsShape = z.array(z.record(z.string(), z.json()))

function streamOf(connector: typeof servicenow, config: StreamConfig) {
  const stream = connector.configure(config)
  if (!stream) throw new Error('the configuration does not suffice')
  return stream
}

function decoded(stream: ReturnType<typeof streamOf>, rows: readonly VendorRow[]) {
  return rows.map(({ values }) => {
    const result = decode(stream.mapping, values)
    if (!result.ok) throw result.error
    return result.fields
  })
}

/** The values of a field, whatever they are, in an order. */
function textsOf(rows: readonly JsonObject[], field: string): string[] {
  return rows.map((row) => JSON.stringify(row[field]).slice(1, -1)).sort()
}

describe.skipIf(!data)(`ServiceNow's answers${data ? '' : `: ${missing}`}`, () => {
  const name = (file: string) => `servicenow-rest-samples/${file}.json`

  async function readRows(entityType: string, rows: z.infer<typeof rowsShape>) {
    const place = (row: (typeof rows)[number]) =>
      JSON.stringify([row['sys_updated_on'], row['sys_id']])
    const sorted = rows.toSorted((a, b) => (place(a) < place(b) ? -1 : 1))
    await using server = await serve(servicenow, ({ url }) => {
      const asked = url.searchParams.get('sysparm_query') ?? ''
      const [, stamp = '', id = ''] = /on>(.{19})\^NQ.*sys_id>(\w+)/.exec(asked) ?? []
      const behind = sorted.filter(
        (row) => stamp === '' || place(row) > JSON.stringify([stamp, id]),
      )
      return { body: { result: behind.slice(0, Number(url.searchParams.get('sysparm_limit'))) } }
    })
    const stream = streamOf(servicenow, { entityType })
    const found: VendorRow[] = []
    for (let after: VendorRow['cursor'] | null = null, more = true; more;) {
      const page = await stream.fetchPage(server.client, { after, skip: 0, limit: 1 }, signal)
      if (page.kind !== 'page') throw new Error(page.reason)
      found.push(...page.rows)
      after = page.rows.at(-1)?.cursor ?? after
      more = page.more
    }
    return { stream, found }
  }

  test('incidents with references as objects are the records that they are without', async () => {
    const raw = read(name('incidentsRest'), rowsShape)
    const flat = read(name('incidents'), rowsShape)
    const { stream, found } = await readRows('incident', raw)
    expect(found.map(({ externalId }) => externalId).sort()).toEqual(
      raw.flatMap((row) => textAt(row, 'sys_id') ?? []).sort(),
    )
    const plain = await readRows('incident', flat)
    expect(decoded(stream, found)).toEqual(decoded(stream, plain.found))
    expect(decoded(stream, found)[0]).toMatchObject({
      number: 'INC0000060',
      state: 7,
      assignedTo: '5137153cc611227c000bbd1bd8cd2007',
      closedAt: '2016-12-14T02:46:44.000Z',
    })
  })

  test('users of one second are read one by one', async () => {
    const users = read(name('users'), rowsShape)
    const { stream, found } = await readRows('contact', users)
    expect(textsOf(decoded(stream, found), 'email')).toEqual(textsOf(users, 'email'))
  })
})

describe.skipIf(!data)(`Salesforce's sample records${data ? '' : `: ${missing}`}`, () => {
  const treeShape = z.object({ records: rowsShape })
  const folder = path.join(data ?? '', 'salesforce')
  const files = (object: string) =>
    (data ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []).filter((file) =>
      new RegExp(`/${object}s?(-data)?\\.json$`, 'i').test(file),
    )

  test.for([
    ['account', 'Account', 'Name', 50],
    ['contact', 'Contact', 'LastName', 100],
  ] as const)(
    'every %s is written and read back as it was',
    async ([entityType, object, field, least]) => {
      await using rig = await salesforceRig(entityType, object, field)
      const { mapping } = streamOf(salesforce, { entityType })
      // Names of fields do not tell upper from lower case.
      const externals = new Map(
        mapping.fields.map((one) => [one.external.toLowerCase(), one.external]),
      )
      const records = files(object)
        .flatMap((file) => read(path.join('salesforce', file), treeShape).records)
        .map((record) =>
          Object.fromEntries(
            Object.entries(record).flatMap(([name, value]) => {
              const external = externals.get(name.toLowerCase())
              // What points to another record of the sample is no id yet.
              return external === undefined || (typeof value === 'string' && value.startsWith('@'))
                ? []
                : [[external, value]]
            }),
          ),
        )
        .filter((record) => field in record)
      expect(records.length).toBeGreaterThanOrEqual(least)
      const writes = records.map((values, at) => {
        const fields = decode(mapping, values)
        if (!fields.ok) throw fields.error
        const encoded = encode(mapping, fields.fields)
        if (!encoded.ok) throw encoded.error
        return { operation: 'create', marker: `sample-${at}`, values: encoded.values } as const
      })
      for (let start = 0; start < writes.length; start += 200) {
        const some = writes.slice(start, start + 200)
        const outcomes = (await rig.stream.push?.write(rig.client, some, signal)) ?? []
        expect(outcomes.filter(({ kind }) => kind !== 'done')).toEqual([])
      }
      const rows = await readAll(rig, { limit: 60 })
      const byMarker = new Map(rows.map((row) => [row.marker, row.values]))
      for (const { marker, values } of writes) {
        expect(byMarker.get(marker)).toMatchObject(values)
      }
      expect(rows).toHaveLength(writes.length)
    },
  )
})

describe.skipIf(!data)(`GitHub's deliveries${data ? '' : `: ${missing}`}`, () => {
  const file = 'github-webhooks/webhooks-examples-7.6.1.json.gz'
  const issueShape = z.looseObject({
    number: z.number(),
    updated_at: z.string(),
    title: z.string(),
  })

  /** Every issue in the published bodies, however deep. */
  function issuesIn(value: unknown): z.infer<typeof issueShape>[] {
    if (Array.isArray(value)) return value.flatMap(issuesIn)
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, inner]) => {
      const issue = name === 'issue' ? issueShape.safeParse(inner).data : undefined
      return issue ? [issue] : issuesIn(inner)
    })
  }

  test('the issues in published bodies are rows, with their state and text', async () => {
    const text = gunzipSync(readFileSync(path.join(data ?? '', file))).toString()
    const all = issuesIn(JSON.parse(text))
    // They are of two repositories, and the same numbers come again.
    const own = all.map((issue, at) => ({ ...issue, number: at + 1 }))
    const sorted = own.toSorted((a, b) => Date.parse(a.updated_at) - Date.parse(b.updated_at))
    expect(sorted.length).toBeGreaterThan(20)
    await using server = await serve(github, () => ({ body: sorted }))
    const stream = streamOf(github, { entityType: 'incident', object: 'octo/hello' })
    const page = await stream.fetchPage(server.client, { after: null, skip: 0, limit: 100 }, signal)
    if (page.kind !== 'page') throw new Error(page.reason)
    const plain = sorted.filter((issue) => !('pull_request' in issue))
    expect(page.rows.map(({ externalId }) => externalId).sort()).toEqual(
      plain.map(({ number }) => String(number)).sort(),
    )
    expect(textsOf(decoded(stream, page.rows), 'shortDescription')).toEqual(
      textsOf(
        plain.map(({ title }) => ({ title })),
        'title',
      ),
    )
  })
})
