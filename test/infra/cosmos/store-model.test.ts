import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runBatch, runBulk } from '../../../infra/local/cosmos/batch.ts'
import { readChanges } from '../../../infra/local/cosmos/change-feed.ts'
import {
  createContainer,
  purgeExpired,
  type Container,
} from '../../../infra/local/cosmos/container.ts'
import { parseDefinition } from '../../../infra/local/cosmos/definitions.ts'
import { CosmosError } from '../../../infra/local/cosmos/errors.ts'
import {
  createItem,
  deleteItem,
  replaceItem,
  upsertItem,
} from '../../../infra/local/cosmos/items.ts'
import type { Json, JsonObject } from '../../../infra/local/cosmos/json.ts'
import { prepare } from '../../../infra/local/cosmos/prepared-query.ts'
import { readPage } from '../../../infra/local/cosmos/query-page.ts'

const START_MS = 1_700_000_000_000

type Kind = 'create' | 'upsert' | 'replace' | 'delete'
interface Write {
  readonly kind: Kind
  readonly id: string
  readonly tenant: string
  readonly name: number
  readonly ttl: number | undefined
}
type Action =
  | { readonly do: 'write'; readonly write: Write }
  | { readonly do: 'batch'; readonly tenant: string; readonly writes: readonly Write[] }
  | { readonly do: 'wait'; readonly seconds: number }

const id = fc.constantFrom('a', 'b', 'c', 'd')
const tenant = fc.constantFrom('t', 'u')
const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.constantFrom<Kind>('create', 'upsert', 'replace', 'delete'),
  id,
  tenant,
  name: fc.nat(4),
  ttl: fc.option(fc.constantFrom(3, 8, -1), { nil: undefined }),
})
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), write }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      tenant,
      writes: fc.array(write, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(4) }) },
)

/** The naive account of what should be there: a list in the order of creation, searched from end to end. */
interface Entry {
  readonly id: string
  readonly tenant: string
  readonly name: number
  readonly diesMs: number
  readonly written: number
}

class Model {
  entries: Entry[] = []
  nowMs = START_MS
  writes = 0

  wait(seconds: number): void {
    this.nowMs += seconds * 1000
    this.entries = this.entries.filter(({ diesMs }) => diesMs > this.nowMs)
  }

  apply(given: Write): number {
    const at = this.entries.findIndex(
      (each) => each.id === given.id && each.tenant === given.tenant,
    )
    if (given.kind === 'create' && at >= 0) return 409
    if ((given.kind === 'replace' || given.kind === 'delete') && at < 0) return 404
    if (given.kind === 'delete') {
      this.entries.splice(at, 1)
      return 204
    }
    const taken = this.entries.some(
      (each, index) => index !== at && each.tenant === given.tenant && each.name === given.name,
    )
    if (taken) return 409
    this.writes += 1
    const ttl = given.ttl ?? 20
    const { id, tenant, name } = given
    const diesMs = ttl === -1 ? Infinity : this.nowMs + ttl * 1000
    const entry = { id, tenant, name, diesMs, written: this.writes }
    if (at < 0) this.entries.push(entry)
    else this.entries[at] = entry
    return at < 0 ? 201 : 200
  }

  batch(writes: readonly Write[]): number[] {
    const before = [...this.entries]
    const statuses: number[] = []
    for (const each of writes) {
      statuses.push(this.apply(each))
      if ((statuses.at(-1) ?? 0) < 400) continue
      this.entries = before
      return writes.map((_, index) =>
        index === statuses.length - 1 ? (statuses[index] ?? 0) : 424,
      )
    }
    return statuses
  }
}

function newContainer(): Container {
  const definition = parseDefinition({
    id: 'things',
    partitionKey: { paths: ['/tenant'] },
    uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/name'] }] },
    defaultTtl: 20,
  })
  const rid = Buffer.alloc(8, 1).toString('base64')
  return createContainer({
    rid,
    nonce: '0'.repeat(20),
    etag: '"e"',
    definition,
    modifiedMs: START_MS,
    throughput: undefined,
    journal: undefined,
  })
}

function body({ id, tenant, name, ttl }: Write): JsonObject {
  return { id, tenant, name, ...(ttl === undefined ? {} : { ttl }) }
}

function perform(container: Container, given: Write, nowMs: number): number {
  const scope = { container, key: [given.tenant], nowMs }
  try {
    switch (given.kind) {
      case 'create':
        return createItem(scope, body(given)).status
      case 'upsert':
        return upsertItem(scope, body(given)).status
      case 'replace':
        return replaceItem(scope, given.id, body(given)).status
      case 'delete':
        return deleteItem(scope, given.id).status
    }
  } catch (error) {
    if (error instanceof CosmosError) return error.status
    throw error
  }
}

const OPERATIONS = { create: 'Create', upsert: 'Upsert', replace: 'Replace', delete: 'Delete' }

function operation(given: Write): Json {
  const resourceBody = given.kind === 'delete' ? {} : { resourceBody: body(given) }
  return { operationType: OPERATIONS[given.kind], id: given.id, ...resourceBody }
}

function scopeOf(container: Container, nowMs: number) {
  return {
    container,
    nowMs,
    bodies: 'all' as const,
    patch: () => ({ accepts: () => true, apply: (document: JsonObject) => document }),
  }
}

/** All rows of a query, fetched in pages of that size. */
interface Asked {
  readonly text: string
  readonly maxRows: number
  readonly tenant?: string
}

function rows(container: Container, { text, maxRows, tenant }: Asked): unknown[] {
  const { compiled, shape } = prepare(text)
  const found: unknown[] = []
  let continuation: string | undefined
  do {
    const page = readPage({
      container,
      key: tenant === undefined ? undefined : [tenant],
      text,
      query: compiled,
      shape,
      parameters: new Map(),
      maxRows,
      continuation,
      nowMs: 0,
    })
    found.push(...page.rows.map((row) => JSON.parse(row) as unknown))
    continuation = page.continuation
  } while (continuation)
  return found
}

const name = ({ id, tenant }: Entry) => `${tenant}/${id}`

/** Does the same to the store and to the model; the statuses of both. */
function step(container: Container, model: Model, each: Action): [number[], number[]] {
  purgeExpired(container, model.nowMs)
  switch (each.do) {
    case 'wait':
      model.wait(each.seconds)
      return [[], []]
    case 'write':
      return [[perform(container, each.write, model.nowMs)], [model.apply(each.write)]]
    case 'batch': {
      const writes = each.writes.map((given) => ({ ...given, tenant: each.tenant }))
      const scope = scopeOf(container, model.nowMs)
      const { results } = runBatch(scope, [each.tenant], writes.map(operation))
      return [results.map(({ statusCode }) => statusCode), model.batch(writes)]
    }
  }
}

test('whatever is written, the store holds what a naive list holds: items, order, unique keys, expiry, feed', () => {
  const size = fc.integer({ min: 1, max: 4 })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), size, (actions, maxRows) => {
      const [container, model] = [newContainer(), new Model()]
      for (const each of actions) {
        const [actual, expected] = step(container, model, each)
        expect(actual).toEqual(expected)
      }
      purgeExpired(container, model.nowMs)
      const text = 'SELECT VALUE CONCAT(c.tenant, "/", c.id) FROM c'
      expect(rows(container, { text, maxRows })).toEqual(model.entries.map(name))
      for (const tenant of ['t', 'u']) {
        const own = model.entries.filter((entry) => entry.tenant === tenant)
        expect(rows(container, { text, maxRows, tenant })).toEqual(own.map(name))
        const sorted = own.toSorted((a, b) => b.name - a.name).map(name)
        const ordered = `${text} ORDER BY c.name DESC`
        expect(rows(container, { text: ordered, maxRows, tenant })).toEqual(sorted)
      }
      const feed = { covers: () => true, afterLsn: 0, sinceMs: 0, maxItems: 1000 }
      const { items } = readChanges({ container, ...feed })
      const byWrite = model.entries.toSorted((a, b) => a.written - b.written)
      expect(items.map(({ id, partition }) => `${String(partition.key[0])}/${id}`)).toEqual(
        byWrite.map(name),
      )
      expect(container.uniqueClaims.size).toBe(model.entries.length)
    }),
    { numRuns: 300 },
  )
})

test('pages of any size are together the whole result, in the same order', () => {
  const value = fc.oneof(
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('x', 'y', true, null),
    fc.constant(undefined),
  )
  const query = fc.record({
    select: fc.constantFrom('SELECT VALUE c.id', 'SELECT TOP 7 VALUE c.id', 'SELECT VALUE x'),
    order: fc.constantFrom('', ' ORDER BY c.v', ' ORDER BY c.v DESC'),
    maxRows: fc.integer({ min: 1, max: 8 }),
  })
  fc.assert(
    fc.property(fc.array(value, { maxLength: 25 }), query, (values, { select, order, maxRows }) => {
      const container = newContainer()
      for (const [n, v] of values.entries()) {
        const document = { id: String(n), tenant: 't', name: n, list: [`${n}a`, `${n}b`] }
        const scope = { container, key: ['t'], nowMs: START_MS }
        createItem(scope, v === undefined ? document : { ...document, v })
      }
      const from = select.endsWith('x') ? 'FROM c JOIN x IN c.list' : 'FROM c'
      const text = `${select} ${from}${order}`
      const documents = Array.from(container.items.values(), ({ document }) => document)
      const whole = prepare(text).compiled.execute(documents, new Map())
      expect(rows(container, { text, maxRows })).toEqual(whole)
    }),
    { numRuns: 300 },
  )
})

test('a batch or bulk request has between 1 and 100 operations', () => {
  const container = newContainer()
  const scope = scopeOf(container, START_MS)
  const many = Array.from({ length: 101 }, (): Json => ({ operationType: 'Read', id: 'a' }))
  expect(() => runBatch(scope, ['t'], many)).toThrow('more operations')
  expect(() => runBulk(scope, many)).toThrow('more operations')
  expect(() => runBatch(scope, ['t'], [])).toThrow('no operations')
})
