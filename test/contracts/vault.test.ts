import { SecretClient } from '@azure/keyvault-secrets'
import { describe, expect, test } from 'vitest'
import { identityOf } from '../../infra/local/seed.ts'
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

  test('keeps every version under a name of its own, and tells the latest with its name', async () => {
    await using here = await open()
    expect(await here.vault.latest('credential-a')).toBeUndefined()
    const first = await here.vault.set('credential-a', 'one')
    const second = await here.vault.set('credential-a', 'two', new Date('2030-01-01T00:00:00Z'))
    expect(first).not.toBe(second)
    expect(await here.vault.latest('credential-a')).toEqual({ value: 'two', version: second })
    expect(await here.vault.get('credential-a', first)).toBe('one')
    expect(await here.vault.get('credential-a', second)).toBe('two')
    expect(await here.vault.get('credential-b', first)).toBeUndefined()
    const nowhere = '0'.repeat(32)
    expect(await here.vault.get('credential-a', nowhere)).toBeUndefined()
  })

  test('removes a secret with its versions, and takes the name again', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    await here.vault.remove('credential-a')
    expect(await here.vault.latest('credential-a')).toBeUndefined()
    expect(await here.vault.get('credential-a', first)).toBeUndefined()
    await here.vault.remove('credential-a')
    await here.vault.remove('never-there')
    const second = await here.vault.set('credential-a', 'two')
    expect(await here.vault.latest('credential-a')).toEqual({ value: 'two', version: second })
  })

  test('says vault_unavailable when it is away', async () => {
    await using here = await open()
    here.goAway()
    const unavailable = { code: 'vault_unavailable' }
    await expect(here.vault.get('a')).rejects.toMatchObject(unavailable)
    await expect(here.vault.latest('a')).rejects.toMatchObject(unavailable)
    await expect(here.vault.set('a', 'b')).rejects.toMatchObject(unavailable)
    await expect(here.vault.remove('a')).rejects.toMatchObject(unavailable)
    await expect(here.vault.ping()).rejects.toMatchObject(unavailable)
  })
})

test('S51: a version that was switched off counts as gone, and a vault that throttles for a moment only delays', async () => {
  await using stack = new AsyncDisposableStack()
  const identity = stack.use(await startIdentity())
  const emulator = stack.use(await startKeyVault({ verify: identity.verify }))
  stack.use(trustAuthority(emulator.settings['NODE_EXTRA_CA_CERTS'] ?? ''))
  const credential = identityOf(identity.settings)
  const url = emulator.settings['KEY_VAULT_URL'] ?? ''
  const vault = openKeyVault(url, credential)
  const first = await vault.set('credential-a', 'one')
  const client = new SecretClient(url, credential, { disableChallengeResourceVerification: true })
  await client.updateSecretProperties('credential-a', first, { enabled: false })
  expect(await vault.get('credential-a', first)).toBeUndefined()
  expect(await vault.latest('credential-a')).toBeUndefined()
  const second = await vault.set('credential-a', 'two')
  emulator.control.fail({ operation: 'getSecret', status: 429, headers: { 'retry-after': '1' } })
  expect(await vault.get('credential-a', second)).toBe('two')
})

test('S51: a vault that takes a call and does not answer is unavailable after a bounded time', async () => {
  await using stack = new AsyncDisposableStack()
  const identity = stack.use(await startIdentity())
  const emulator = stack.use(await startKeyVault({ verify: identity.verify }))
  stack.use(trustAuthority(emulator.settings['NODE_EXTRA_CA_CERTS'] ?? ''))
  const vault = openKeyVault(
    emulator.settings['KEY_VAULT_URL'] ?? '',
    identityOf(identity.settings),
    { timeoutMs: 300 },
  )
  const calls = {
    getSecret: () => vault.get('a'),
    setSecret: () => vault.set('a', 'b'),
    deleteSecret: () => vault.remove('a'),
  }
  for (const [operation, call] of Object.entries(calls)) {
    emulator.control.fail({ operation, delayMs: 60_000 })
    await expect(call()).rejects.toMatchObject({ code: 'vault_unavailable' })
    emulator.control.clearFaults()
  }
  expect(await vault.latest('a')).toBeUndefined()
})
