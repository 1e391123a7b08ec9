import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startStorage } from '../../infra/local/storage/storage.ts'
import type { Emulator } from '../../infra/local/emulator.ts'
import { openBlobs } from '../../src/adapters/blob-storage.ts'
import type { Blobs } from '../../src/core/blobs.ts'
import { AppError } from '../../src/core/errors.ts'
import { startHttpHop } from '../ports/http-hop.ts'
import { memoryBlobs } from '../ports/memory-blobs.ts'
import { failureOf, hooks, type Fault } from './faulty-ports.ts'

interface Opened extends AsyncDisposable {
  readonly blobs: Blobs
  readonly fail: (fault: Fault) => void
}

/** Somebody else's program: one for all tests, each with containers of its own, behind a hop that can fail. */
let storage: Emulator | undefined
let opened = 0
beforeAll(async () => {
  storage = await startStorage()
})
afterAll(async () => storage?.[Symbol.asyncDispose]())

/** More calls than the client makes; it tries three times (src/adapters/blob-storage.ts). */
const ALWAYS = 1_000
/** Microsoft's REST reference, "Blob service error codes". */
const busy = {
  status: 503,
  headers: { 'x-ms-error-code': 'ServerBusy', 'content-type': 'application/xml' },
  body: '<?xml version="1.0"?><Error><Code>ServerBusy</Code><Message>busy</Message></Error>',
  times: ALWAYS,
}
const faults = {
  refused: { status: 403 },
  late: { delayMs: 500 },
  'answer lost': { operation: 'PUT', connection: 'lose-answer', times: 3 },
  throttled: busy,
  'throttled for long': { ...busy, headers: { ...busy.headers, 'retry-after': '3600' } },
  silent: { delayMs: 60_000, status: 503, times: ALWAYS },
  relented: undefined,
} as const

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const blobs = memoryBlobs()
    const fail = hooks(blobs, new AppError('blob_unavailable', 'no answer'))
    return { blobs, fail, [Symbol.asyncDispose]: async () => {} }
  },
  'in a storage account': async () => {
    const connectionString = storage?.settings['AzureWebJobsStorage'] ?? ''
    const origin = /BlobEndpoint=(http:\/\/[^/]+)/.exec(connectionString)?.[1] ?? ''
    const hop = await startHttpHop(origin)
    opened += 1
    return {
      blobs: openBlobs(
        { connectionString: connectionString.replace(origin, hop.origin) },
        `payloads-${opened}`,
      ),
      fail: (fault) => {
        hop.control.clearFaults()
        const planned = faults[fault]
        if (planned) hop.control.fail(planned)
      },
      [Symbol.asyncDispose]: () => hop[Symbol.asyncDispose](),
    }
  },
}

const text = async (blobs: Blobs, name: string) =>
  Buffer.from((await blobs.get(name)) ?? []).toString()

describe.for(Object.entries(implementations))('blobs %s', ([, open]) => {
  test('give back byte for byte what was put, the latest of a name, and nothing for no name', async () => {
    await using here = await open()
    expect(await here.blobs.get('tenant/a')).toBeUndefined()
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 256)
    await here.blobs.put('tenant/a', Buffer.from('first'))
    await here.blobs.put('tenant/a', bytes)
    await here.blobs.put('tenant/ä b', Buffer.alloc(0))
    expect(Buffer.from((await here.blobs.get('tenant/a')) ?? []).equals(bytes)).toBe(true)
    expect(await here.blobs.get('tenant/ä b')).toHaveLength(0)
  })

  test('keep what they had when they refuse', async () => {
    await using here = await open()
    await here.blobs.put('a', Buffer.from('one'))
    here.fail('refused')
    expect(await failureOf(here.blobs.put('a', Buffer.from('two')))).toBe('blob_unavailable')
    expect(await text(here.blobs, 'a')).toBe('one')
    await here.blobs.put('a', Buffer.from('two'))
    expect(await text(here.blobs, 'a')).toBe('two')
  })

  test('have what they lost the answer to, and putting it again makes no other blob of it', async () => {
    await using here = await open()
    await here.blobs.put('a', Buffer.from('one'))
    here.fail('answer lost')
    expect(await failureOf(here.blobs.put('a', Buffer.from('two')))).toBe('blob_unavailable')
    expect(await text(here.blobs, 'a')).toBe('two')
    await here.blobs.put('a', Buffer.from('two'))
    expect(await text(here.blobs, 'a')).toBe('two')
  })

  test('are made where there was no container yet, also when that answer is lost', async () => {
    await using here = await open()
    here.fail('answer lost')
    expect(await failureOf(here.blobs.put('a', Buffer.from('one')))).toBe('blob_unavailable')
    await here.blobs.put('a', Buffer.from('one'))
    expect(await text(here.blobs, 'a')).toBe('one')
  })

  test.for<Fault>(['throttled', 'throttled for long'])(
    'that are %s are given up in time, keep what they had, and work again',
    async (fault) => {
      await using here = await open()
      await here.blobs.put('a', Buffer.from('one'))
      here.fail(fault)
      const startedAt = performance.now()
      const calls = [here.blobs.put('a', Buffer.from('two')), here.blobs.get('a')]
      const codes = await Promise.all(calls.map((call) => failureOf(call)))
      expect(performance.now() - startedAt).toBeLessThan(8_000)
      expect(codes).toEqual(['blob_unavailable', 'blob_unavailable'])
      here.fail('relented')
      expect(await text(here.blobs, 'a')).toBe('one')
      await here.blobs.put('a', Buffer.from('two'))
      expect(await text(here.blobs, 'a')).toBe('two')
    },
  )
})

test('blobs of a storage account that is not there are unavailable, which is said in time', async () => {
  const away = await startStorage()
  const connectionString = away.settings['AzureWebJobsStorage'] ?? ''
  await away[Symbol.asyncDispose]()
  const blobs = openBlobs({ connectionString }, 'payloads')
  expect(await failureOf(blobs.put('a', Buffer.from('x')))).toBe('blob_unavailable')
  expect(await failureOf(blobs.get('a'))).toBe('blob_unavailable')
})
