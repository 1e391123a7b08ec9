import type { Blobs } from '../../src/core/blobs.ts'
import { AppError } from '../../src/core/errors.ts'

export interface MemoryBlobs extends Blobs {
  readonly stored: Map<string, Uint8Array>
  /** Called before and after each operation: throw to fail it, or to lose its answer. */
  before?: (operation: 'put' | 'get') => void
  after?: (operation: 'put' | 'get') => void
  /** From now on every call finds the storage away. */
  goAway(): void
}

export function memoryBlobs(): MemoryBlobs {
  const stored = new Map<string, Uint8Array>()
  const around = async <R>(operation: 'put' | 'get', work: () => R): Promise<R> => {
    blobs.before?.(operation)
    const result = work()
    blobs.after?.(operation)
    return result
  }
  const blobs: MemoryBlobs = {
    stored,
    goAway: () => {
      blobs.before = () => {
        throw new AppError('blob_unavailable', 'it is away')
      }
    },
    put: (name, bytes) => around('put', () => void stored.set(name, Uint8Array.from(bytes))),
    get: (name) => around('get', () => stored.get(name)),
  }
  return blobs
}
