import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  admit,
  LIMITS,
  type RequestKind,
  type Window,
} from '../../../infra/local/key-vault/limits.ts'
import type { Outcome } from '../../../infra/local/key-vault/failure.ts'
import { cutPage, type Page } from '../../../infra/local/key-vault/page.ts'
import {
  decodeBackup,
  encodeBackup,
  readName,
  readSet,
} from '../../../infra/local/key-vault/request.ts'
import * as rules from '../../../infra/local/key-vault/secret.ts'

const retention = { transitionMs: 100, retentionDays: 7 }
const RETAINED_MS = 7 * 86_400_000
const name = 'a'

const step = fc.oneof(
  fc.constantFrom('set', 'delete', 'recover', 'purge', 'update'),
  fc.constantFrom(1, 99, 100, RETAINED_MS - 100, RETAINED_MS),
)

/** One step of a secret's life, as the operations of the vault would take it. */
function live(secret: rules.Secret | undefined, act: string, now: number) {
  const version = String(now)
  const present = rules.active(secret, { name, now })
  switch (act) {
    case 'set': {
      const base = rules.writable(secret, { name, now })
      if (!base.ok) return secret
      return rules.addVersion(base.value, { name, version, value: version, input: {}, now })
    }
    case 'update': {
      if (!present.ok) return secret
      const change = { version: '', input: { contentType: 'c' }, now }
      const changed = rules.updateVersion(present.value, change)
      return changed.ok ? changed.value.secret : secret
    }
    case 'delete':
      return present.ok ? rules.remove(present.value, now, retention) : secret
    default: {
      const gone = rules.deleted(secret, { name, now })
      if (!gone.ok) return secret
      return act === 'purge' ? undefined : rules.recover(gone.value, now, retention)
    }
  }
}

test('at every moment a name is in use, deleted, or free to be set, and only one of them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let secret: rules.Secret | undefined
      let now = 1_000
      for (const each of steps) {
        if (typeof each === 'number') now += each
        else secret = live(secret, each, now)
        const phase = rules.phaseOf(secret, now)
        expect(rules.active(secret, { name, now }).ok).toBe(phase === 'active')
        expect(rules.deleted(secret, { name, now }).ok).toBe(phase === 'deleted')
        expect(rules.writable(secret, { name, now }).ok).toBe(
          phase === 'active' || phase === 'gone',
        )
        const versions = secret?.versions ?? []
        expect(versions.every(({ version, value }) => version === value)).toBe(true)
      }
    }),
  )
})

test('left alone, a deletion settles, and the secret is gone after its retention', () => {
  const secret = rules.addVersion(undefined, { name, version: '1', value: 'v', input: {}, now: 0 })
  const removed = rules.remove(secret, 1_000, retention)
  const phases = [1_000, 1_099, 1_100, 1_000 + RETAINED_MS - 1, 1_000 + RETAINED_MS]
  expect(phases.map((now) => rules.phaseOf(removed, now))).toEqual([
    'deleting',
    'deleting',
    'deleted',
    'deleted',
    'gone',
  ])
  const recovered = rules.recover(removed, 2_000, retention)
  expect([2_099, 2_100].map((now) => rules.phaseOf(recovered, now))).toEqual([
    'recovering',
    'active',
  ])
})

test('pages put together are all the rows in order, whatever their size', () => {
  const keys = fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 60 })
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: LIMITS.pageSize }), (rows, size) => {
      const seen: string[] = []
      let query: URLSearchParams | undefined = new URLSearchParams({ maxresults: String(size) })
      while (query) {
        const page: Outcome<Page<string>> = cutPage(
          rows.map((key) => [key, key]),
          query,
        )
        if (!page.ok) throw new Error(page.failure.message)
        expect(page.value.items.length).toBeLessThanOrEqual(size)
        seen.push(...page.value.items)
        expect(seen.length).toBeLessThanOrEqual(rows.length)
        query = page.value.nextQuery
      }
      expect(seen).toEqual(rows.toSorted())
    }),
  )
})

test('a backup gives back what it was made of, and nothing else is a backup', () => {
  const versions = fc.array(fc.tuple(fc.string(), fc.boolean()), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(versions, (values) => {
      let secret: rules.Secret | undefined
      for (const [index, [value, enabled]] of values.entries()) {
        const input = { attributes: { enabled }, tags: { index: String(index) } }
        secret = rules.addVersion(secret, { name, version: `${index}`, value, input, now: 0 })
      }
      const backup = encodeBackup(secret ?? { name, versions: [] })
      expect(decodeBackup(backup)).toEqual({ ok: true, value: secret })
    }),
  )
  fc.assert(
    fc.property(fc.string(), (blob) => {
      expect(decodeBackup(blob).ok).toBe(false)
    }),
  )
})

test('no more requests than the limit pass in a window, and the wait is told', () => {
  let window: Window | undefined
  const ask = (kind: RequestKind, now: number) => {
    const admission = admit(window, kind, now)
    window = admission.window
    return admission.retryAfterSeconds
  }
  const waits = Array.from({ length: LIMITS.createRequests + 2 }, (_, i) =>
    ask('create', 1_000 + i),
  )
  expect(waits.filter((wait) => wait === undefined)).toHaveLength(LIMITS.createRequests)
  expect(waits.slice(-2)).toEqual([10, 10])
  expect(ask('other', 2_000)).toBeUndefined()
  expect(ask('create', 10_999)).toBe(1)
  expect(ask('create', 11_000)).toBeUndefined()
})

test.for([
  ['letters, digits, hyphens', 'Refresh-Token-1', true],
  ['a leading digit', '0a', true],
  ['a leading hyphen', '-a', true],
  ['127 letters', 'n'.repeat(127), true],
  ['128 letters', 'n'.repeat(128), false],
  ['an underscore', 'a_b', false],
  ['an escape', 'a%2Fb', false],
  ['a letter outside of ASCII', 'ä', false],
  ['a line break', 'a\n', false],
] as const)('a name of %s: %s is taken: %s', ([, text, taken]) => {
  expect(readName(text).ok).toBe(taken)
})

test.for([
  ['{"value":"v"}', true],
  ['{"value":""}', true],
  ['{"value":"v","attributes":{"enabled":false,"exp":1,"nbf":null},"tags":null}', true],
  [JSON.stringify({ value: 'é'.repeat(12_800) }), true],
  [JSON.stringify({ value: 'é'.repeat(12_801) }), false],
  ['{}', false],
  ['{"value":1}', false],
  ['{"value":"v","attributes":{"exp":"soon"}}', false],
  ['', false],
  ['[]', false],
] as const)('the body %.40s is taken: %s', ([body, taken]) => {
  expect(readSet(Buffer.from(body)).ok).toBe(taken)
})
