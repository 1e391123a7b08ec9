import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createCharge,
  deleteCharge,
  queryCharge,
  readCharge,
  replaceCharge,
} from '../../../infra/local/cosmos/charge.ts'
import { compileIndexing, DEFAULT_INDEXING } from '../../../infra/local/cosmos/indexing.ts'

const KB = 1024
const size = fc.record({ bytes: fc.nat(2 * KB * KB), terms: fc.nat(2_000) })

test('a point read costs 1 RU for each KB begun, and never less than 1', () => {
  expect([0, 1, KB, KB + 1, 10 * KB].map(readCharge)).toEqual([1, 1, 1, 2, 10])
})

test('creating an item of 1 KB with the default index costs between 5 and 6.5 RU', () => {
  const document = {
    id: '1',
    a: 1,
    b: 2,
    c: [1, 2, 3],
    d: { e: 'x', f: null },
    text: 'x'.repeat(900),
  }
  const terms = compileIndexing(DEFAULT_INDEXING).countTerms(document)
  expect(createCharge({ bytes: KB, terms })).toBeGreaterThan(5)
  expect(createCharge({ bytes: KB, terms })).toBeLessThan(6.5)
})

test('no operation gets cheaper when the item grows in size or in indexed values', () => {
  fc.assert(
    fc.property(size, fc.nat(KB * KB), fc.nat(100), (item, bytes, terms) => {
      const larger = { bytes: item.bytes + bytes, terms: item.terms + terms }
      expect(readCharge(larger.bytes)).toBeGreaterThanOrEqual(readCharge(item.bytes))
      expect(createCharge(larger)).toBeGreaterThanOrEqual(createCharge(item))
      expect(deleteCharge(larger)).toBeGreaterThanOrEqual(deleteCharge(item))
      expect(replaceCharge(item, larger)).toBeGreaterThanOrEqual(replaceCharge(item, item))
      expect(replaceCharge(larger, item)).toBeGreaterThanOrEqual(replaceCharge(item, item))
    }),
  )
})

test('a replace costs more than a create', () => {
  fc.assert(
    fc.property(size, size, (previous, next) => {
      expect(replaceCharge(previous, next)).toBeGreaterThan(createCharge(next))
    }),
  )
})

test('a query costs more with every row, byte and document it has to judge without an index', () => {
  const none = { returnedBytes: 0, lookedUp: 0, scanned: 0, indexEntries: 0 }
  const base = queryCharge(none)
  expect(base).toBeGreaterThan(2)
  expect(queryCharge({ ...none, returnedBytes: 10 * KB })).toBeGreaterThan(base)
  expect(queryCharge({ ...none, lookedUp: 100 })).toBeGreaterThan(base)
  expect(queryCharge({ ...none, scanned: 100 })).toBeGreaterThan(
    queryCharge({ ...none, lookedUp: 100 }),
  )
})

const POLICY = {
  includedPaths: [
    { path: '/a/?' },
    { path: '/b/*' },
    { path: '/list/[]/x/?' },
    { path: '/"odd name"/?' },
  ],
  excludedPaths: [{ path: '/*' }, { path: '/b/hidden/*' }],
  compositeIndexes: [[{ path: '/a' }, { path: '/b/c', order: 'descending' as const }]],
}

test.for<[string, string[], boolean]>([
  ['an included value', ['a'], true],
  ['what is below a value', ['a', 'x'], false],
  ['what is not included', ['z'], false],
  ['a subtree', ['b', 'c', 'd'], true],
  ['a hole in the subtree', ['b', 'hidden', 'd'], false],
  ['elements of an array', ['list', '[]', 'x'], true],
  ['a quoted name', ['odd name'], true],
  ['the id', ['id'], true],
  ['the time of the last write', ['_ts'], true],
])('the index covers %s: %s', ([, path, covered]) => {
  expect(compileIndexing(POLICY).covers(path)).toBe(covered)
})

test('terms are counted where the policy includes them', () => {
  const document = {
    a: 1,
    z: 1,
    b: { c: 1, d: [1, 2], hidden: { e: 1 } },
    list: [{ x: 1, y: 1 }, { x: 2 }],
    'odd name': null,
  }
  expect(compileIndexing(POLICY).countTerms(document)).toBe(1 + 3 + 2 + 1)
  expect(compileIndexing({ indexingMode: 'none' }).countTerms(document)).toBe(0)
})
