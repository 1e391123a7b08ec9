import { AppError } from '../../src/core/errors.ts'
import type { Vault } from '../../src/core/vault.ts'

export interface MemoryVault extends Vault {
  readonly secrets: Map<string, string>
  /** From now on every call finds the vault away. */
  goAway(): void
}

export function memoryVault(): MemoryVault {
  const secrets = new Map<string, string>()
  let away = false
  const check = () => {
    if (away) throw new AppError('vault_unavailable', 'it is away')
  }
  return {
    secrets,
    goAway: () => {
      away = true
    },
    get: async (name) => {
      check()
      return secrets.get(name)
    },
    set: async (name, value) => {
      check()
      secrets.set(name, value)
    },
    ping: async () => check(),
  }
}
