import { AppError } from '../../src/core/errors.ts'
import type { SecretVersion, Vault } from '../../src/core/vault.ts'

export interface MemoryVault extends Vault {
  /** Every version of every secret, the latest last. */
  readonly secrets: Map<string, SecretVersion[]>
  /** Called before each operation: throw to fail it. */
  before?: (operation: 'get' | 'latest' | 'set' | 'remove') => void | Promise<void>
  /** Called after each operation: throw to lose its answer. */
  after?: (operation: 'get' | 'latest' | 'set' | 'remove') => void | Promise<void>
  /** From now on every call finds the vault away. */
  goAway(): void
}

export function memoryVault(): MemoryVault {
  const secrets = new Map<string, SecretVersion[]>()
  let count = 0
  const around = async <R>(
    operation: Parameters<NonNullable<MemoryVault['before']>>[0],
    work: () => R,
  ) => {
    await vault.before?.(operation)
    const result = work()
    await vault.after?.(operation)
    return result
  }
  const vault: MemoryVault = {
    secrets,
    goAway: () => {
      vault.before = () => {
        throw new AppError('vault_unavailable', 'it is away')
      }
    },
    get: (name, version) =>
      around('get', () => {
        const versions = secrets.get(name) ?? []
        const found =
          version === undefined ? versions.at(-1) : versions.find((one) => one.version === version)
        return found?.value
      }),
    latest: (name) => around('latest', () => secrets.get(name)?.at(-1)),
    set: (name, value) =>
      around('set', () => {
        const version = `v${(count += 1)}`
        secrets.set(name, [...(secrets.get(name) ?? []), { value, version }])
        return version
      }),
    remove: (name) => around('remove', () => void secrets.delete(name)),
    ping: async () => vault.before?.('get'),
  }
  return vault
}
