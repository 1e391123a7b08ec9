import { describe, expect, test } from 'vitest'
import { identityOf } from '../../infra/local/demo.ts'
import { startIdentity } from '../../infra/local/identity/identity.ts'
import { startKeyVault } from '../../infra/local/key-vault/key-vault.ts'
import { trustAuthority } from '../../infra/local/tls.ts'
import { openKeyVault } from '../../src/adapters/key-vault.ts'
import type { Vault } from '../../src/core/vault.ts'
import { memoryVault } from '../ports/memory-vault.ts'

interface Opened extends AsyncDisposable {
  readonly vault: Vault
  readonly goAway: () => void
}

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const vault = memoryVault()
    return { vault, goAway: () => vault.goAway(), [Symbol.asyncDispose]: async () => {} }
  },
  'Key Vault': async () => {
    const stack = new AsyncDisposableStack()
    const identity = stack.use(await startIdentity())
    const emulator = stack.use(await startKeyVault({ verify: identity.verify }))
    stack.use(trustAuthority(emulator.settings['NODE_EXTRA_CA_CERTS'] ?? ''))
    return {
      vault: openKeyVault(emulator.settings['KEY_VAULT_URL'] ?? '', identityOf(identity.settings)),
      goAway: () => emulator.control.fail({ times: 1_000, status: 403 }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  },
}

describe.for(Object.keys(implementations))('a vault %s', (name) => {
  const open = async () => {
    const opened = await implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }

  test('gives the latest value of a secret, and undefined for one that is not there', async () => {
    await using here = await open()
    await here.vault.ping()
    expect(await here.vault.get('credential-a')).toBeUndefined()
    await here.vault.set('credential-a', '{"kind":"basic"}')
    await here.vault.set('credential-a', 'second')
    expect(await here.vault.get('credential-a')).toBe('second')
  })

  test('says vault_unavailable when it is away', async () => {
    await using here = await open()
    here.goAway()
    const unavailable = { code: 'vault_unavailable' }
    await expect(here.vault.get('a')).rejects.toMatchObject(unavailable)
    await expect(here.vault.set('a', 'b')).rejects.toMatchObject(unavailable)
    await expect(here.vault.ping()).rejects.toMatchObject(unavailable)
  })
})
