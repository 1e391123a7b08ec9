import type { Blobs } from '../../src/core/blobs.ts'
import { AppError } from '../../src/core/errors.ts'

export interface MemoryBlobs extends Blobs {
  readonly stored: Map<string, Uint8Array>
  /** From now on every call finds the storage away. */
  goAway(): void
}

export function memoryBlobs(): MemoryBlobs {
  const stored = new Map<string, Uint8Array>()
  let away = false
  const check = () => {
    if (away) throw new AppError('blob_unavailable', 'it is away')
  }
  return {
    stored,
    goAway: () => {
      away = true
    },
    put: async (name, bytes) => {
      check()
      stored.set(name, Uint8Array.from(bytes))
    },
    get: async (name) => {
      check()
      return stored.get(name)
    },
  }
}
