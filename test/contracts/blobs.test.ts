import { describe, expect, test } from 'vitest'
import { startStorage } from '../../infra/local/storage/storage.ts'
import { openBlobs } from '../../src/adapters/blob-storage.ts'
import type { Blobs } from '../../src/core/blobs.ts'
import { memoryBlobs } from '../ports/memory-blobs.ts'

interface Opened extends AsyncDisposable {
  readonly blobs: Blobs
  readonly goAway: () => Promise<void>
}

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const blobs = memoryBlobs()
    return { blobs, goAway: async () => blobs.goAway(), [Symbol.asyncDispose]: async () => {} }
  },
  'in a storage account': async () => {
    const storage = await startStorage()
    const connectionString = storage.settings['AzureWebJobsStorage'] ?? ''
    const end = async () => storage[Symbol.asyncDispose]()
    return {
      blobs: openBlobs({ connectionString }, 'payloads'),
      goAway: end,
      [Symbol.asyncDispose]: end,
    }
  },
}

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

  test('say blob_unavailable when they are away', async () => {
    await using here = await open()
    await here.goAway()
    await expect(here.blobs.put('a', Buffer.from('x'))).rejects.toMatchObject({
      code: 'blob_unavailable',
    })
    await expect(here.blobs.get('a')).rejects.toMatchObject({ code: 'blob_unavailable' })
  })
})
