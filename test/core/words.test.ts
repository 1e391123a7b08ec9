import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, hashOf, type Json } from '../../src/core/canonical-json.ts'
import { instanceOrigin, type Connection } from '../../src/core/connection.ts'
import { AppError, codeOf, explain } from '../../src/core/errors.ts'
import { idOf } from '../../src/core/ids.ts'
import { retryDelayMs } from '../../src/core/retry-delay.ts'

describe('canonical JSON', () => {
  test('does not depend on the order in which keys were set', () => {
    expect(canonicalJson({ b: 1, a: [{ d: null, c: 'x' }] })).toBe(
      '{"a":[{"c":"x","d":null}],"b":1}',
    )
    expect(hashOf({ a: 1, b: 2 })).toBe(hashOf({ b: 2, a: 1 }))
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: '1' }))
    expect(hashOf({ a: null })).not.toBe(hashOf({}))
  })

  test('says the same as the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as Json // fast-check's type is wider
        expect(JSON.parse(canonicalJson(json))).toEqual(json)
      }),
    )
  })
})

describe('an id', () => {
  test('follows from its parts, however they are cut', () => {
    expect(idOf('x', 'a', 'b')).toBe(idOf('x', 'a', 'b'))
    expect(idOf('x', 'ab', 'c')).not.toBe(idOf('x', 'a', 'bc'))
    expect(idOf('x', 'a,1:b')).not.toBe(idOf('x', 'a', 'b'))
    expect(idOf('x', '')).not.toBe(idOf('x'))
  })

  test('starts with a letter and holds what every store allows', () => {
    fc.assert(
      fc.property(fc.string(), (part) => {
        expect(idOf('rec', part)).toMatch(/^rec-[\w-]{27}$/)
      }),
    )
  })
})

test('a retry waits longer each time, between half a step and a whole one, and never longer than the cap', () => {
  const backoff = { baseMs: 1_000, capMs: 60_000 }
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, random) => {
        const step = Math.min(60_000, 1_000 * 2 ** (attempt - 1))
        const delay = retryDelayMs(attempt, random, backoff)
        expect(delay).toBeGreaterThanOrEqual(step / 2)
        expect(delay).toBeLessThanOrEqual(step)
      },
    ),
  )
})

test('an error is explained with its causes, and has a code whatever was thrown', () => {
  const error = new AppError('store_unavailable', 'no store', { cause: new Error('no route') })
  expect(explain(error)).toBe('no store: no route')
  expect([codeOf(error), codeOf(new Error('x')), codeOf('x')]).toEqual([
    'store_unavailable',
    'internal',
    'internal',
  ])
})

describe('the origin of an instance', () => {
  const origin = (instanceUrl: string) => {
    const connection: Connection = {
      id: 'c',
      tenantId: 't',
      integrationId: 'servicenow',
      label: '',
      credentialId: 'k',
      config: { instanceUrl },
    }
    return instanceOrigin(connection)
  }
  test.for<[string, string | undefined]>([
    ['https://acme.service-now.com', 'https://acme.service-now.com'],
    ['https://ACME.service-now.com/nav_to.do?x=1', 'https://acme.service-now.com'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://acme.service-now.com', undefined],
    ['http://127.0.0.1.evil.example', undefined],
    ['https://user:pass@acme.service-now.com', undefined],
    ['ftp://acme.service-now.com', undefined],
    ['acme.service-now.com', undefined],
    ['', undefined],
  ])('%s is %s', ([url, expected]) => {
    expect(origin(url)).toBe(expected)
  })
})
