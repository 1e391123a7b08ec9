import { expect, test } from 'vitest'
import { clientOf, collect, plainHttpClient, refusal, startStack } from './clients.ts'

const FAST_POLL = { intervalInMs: 1 }

test('a secret comes back as it was set, latest and by version', async () => {
  await using stack = await startStack()
  const expiresOn = new Date('2030-01-01T00:00:00Z')
  const first = await stack.client.setSecret('refresh-token', 'one', {
    contentType: 'text/plain',
    tags: { tenant: 't1' },
    expiresOn,
  })
  const second = await stack.client.setSecret('refresh-token', 'two')
  expect(first.properties).toMatchObject({
    name: 'refresh-token',
    version: expect.stringMatching(/^[0-9a-f]{32}$/),
    vaultUrl: stack.vault.settings['KEY_VAULT_URL'],
    enabled: true,
    contentType: 'text/plain',
    tags: { tenant: 't1' },
    expiresOn,
    createdOn: expect.any(Date),
    updatedOn: expect.any(Date),
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  })
  const latest = await stack.client.getSecret('refresh-token')
  expect([latest.value, latest.properties.version]).toEqual(['two', second.properties.version])
  expect(latest.properties.tags).toBeUndefined()
  const version = first.properties.version ?? ''
  expect((await stack.client.getSecret('refresh-token', { version })).value).toBe('one')
})

test('an empty value, a long one and any text survive', async () => {
  await using stack = await startStack()
  for (const value of ['', '😀 "quoted"\n\u0000', 'x'.repeat(25 * 1024)]) {
    await stack.client.setSecret('any', value)
    expect((await stack.client.getSecret('any')).value).toBe(value)
  }
})

test('a name is the same in any case, and keeps its first spelling', async () => {
  await using stack = await startStack()
  await stack.client.setSecret('Mixed-Case', 'one')
  await stack.client.setSecret('mixed-case', 'two')
  const found = await stack.client.getSecret('MIXED-CASE')
  expect([found.name, found.value]).toEqual(['Mixed-Case', 'two'])
})

test('an update changes what it names and leaves the rest, of one version only', async () => {
  await using stack = await startStack()
  const one = await stack.client.setSecret('a', 'v1', { tags: { keep: 'me' }, contentType: 'x' })
  await stack.client.setSecret('a', 'v2')
  stack.vault.control.clock.advance(60_000)
  const version = one.properties.version ?? ''
  const notBefore = new Date('2029-01-01T00:00:00Z')
  const updated = await stack.client.updateSecretProperties('a', version, { notBefore })
  expect(updated).toMatchObject({ tags: { keep: 'me' }, contentType: 'x', notBefore, version })
  expect(Number(updated.updatedOn) - Number(updated.createdOn)).toBeGreaterThanOrEqual(60_000)
  await stack.client.updateSecretProperties('a', version, { tags: { other: 'tag' } })
  const read = await stack.client.getSecret('a', { version })
  expect([read.value, read.properties.tags]).toEqual(['v1', { other: 'tag' }])
  expect((await stack.client.getSecret('a')).properties.notBefore).toBeUndefined()
  await stack.client.updateSecretProperties('a', '', { contentType: 'latest' })
  expect((await stack.client.getSecret('a')).properties.contentType).toBe('latest')
})

test('a disabled version is refused and can be enabled again', async () => {
  await using stack = await startStack()
  const { properties } = await stack.client.setSecret('a', 'v', { enabled: false })
  expect(await refusal(stack.client.getSecret('a'))).toEqual([403, 'Forbidden', 'SecretDisabled'])
  await stack.client.updateSecretProperties('a', properties.version ?? '', { enabled: true })
  expect((await stack.client.getSecret('a')).value).toBe('v')
})

test('a secret outside of its nbf and exp is still given out', async () => {
  await using stack = await startStack()
  const now = Date.now()
  await stack.client.setSecret('expired', 'v', { expiresOn: new Date(now - 60_000) })
  await stack.client.setSecret('early', 'v', { notBefore: new Date(now + 3_600_000) })
  expect((await stack.client.getSecret('expired')).value).toBe('v')
  expect((await stack.client.getSecret('early')).value).toBe('v')
})

test('lists come in pages, without values, each thing once', async () => {
  await using stack = await startStack()
  const names = Array.from({ length: 30 }, (_, i) => `s-${String(i).padStart(2, '0')}`)
  for (const name of names) await stack.client.setSecret(name, 'hidden')
  const pages = await collect(stack.client.listPropertiesOfSecrets().byPage({ maxPageSize: 7 }))
  expect(pages.map((page) => page.length)).toEqual([7, 7, 7, 7, 2])
  expect(pages.flat().map(({ name }) => name)).toEqual(names)
  expect(pages.flat()[0]?.version).toBeUndefined()
  expect(await collect(stack.client.listPropertiesOfSecrets())).toHaveLength(30)
  for (let i = 0; i < 3; i += 1) await stack.client.setSecret('s-00', `v${i}`)
  const versions = await collect(
    stack.client.listPropertiesOfSecretVersions('s-00').byPage({ maxPageSize: 1 }),
  )
  expect(versions.map((page) => page.length)).toEqual([1, 1, 1, 1])
  expect(new Set(versions.flat().map(({ version }) => version)).size).toBe(4)
  expect(await collect(stack.client.listPropertiesOfSecretVersions('nobody'))).toEqual([])
})

test('a page link goes on after what was seen, whatever was added or removed since', async () => {
  await using stack = await startStack({ transitionMs: 0 })
  for (const name of ['b', 'd', 'f', 'h']) await stack.client.setSecret(name, 'v')
  const pages = stack.client.listPropertiesOfSecrets().byPage({ maxPageSize: 2 })
  const first = await pages.next()
  await stack.client.setSecret('a', 'v')
  await stack.client.beginDeleteSecret('d', FAST_POLL)
  const rest = (await collect(pages)).flat()
  const seen = [...(first.done ? [] : first.value), ...rest].map(({ name }) => name)
  expect(seen).toEqual(['b', 'd', 'f', 'h'])
})

test('a deletion takes its time, then the secret waits for recovery or purge', async () => {
  await using stack = await startStack({ transitionMs: 5_000 })
  const { client } = stack
  const step = (ms: number) => stack.vault.control.clock.advance(ms)
  await client.setSecret('a', 'v1')
  const deletion = await client.beginDeleteSecret('a', FAST_POLL)
  expect(deletion.isDone()).toBe(false)
  expect(await refusal(client.getSecret('a'))).toEqual([404, 'SecretNotFound', undefined])
  expect(await refusal(client.getDeletedSecret('a'))).toEqual([404, 'SecretNotFound', undefined])
  const busy = [409, 'Conflict', 'ObjectIsBeingDeleted']
  expect(await refusal(client.setSecret('a', 'v2'))).toEqual(busy)
  expect(await refusal(client.purgeDeletedSecret('a'))).toEqual(busy)
  step(5_000)
  const deleted = await deletion.pollUntilDone()
  expect(deleted.recoveryId).toBe(`${stack.vault.settings['KEY_VAULT_URL']}/deletedsecrets/a`)
  expect(Number(deleted.scheduledPurgeDate) - Number(deleted.deletedOn)).toBe(90 * 86_400_000)
  expect(deleted.value).toBeUndefined()
  expect(await refusal(client.setSecret('a', 'v2'))).toEqual([
    409,
    'Conflict',
    'ObjectIsDeletedButRecoverable',
  ])
  expect((await collect(client.listDeletedSecrets())).map(({ name }) => name)).toEqual(['a'])
  expect(await collect(client.listPropertiesOfSecrets())).toEqual([])
  const recovery = await client.beginRecoverDeletedSecret('a', FAST_POLL)
  expect(recovery.isDone()).toBe(false)
  step(5_000)
  expect((await recovery.pollUntilDone()).name).toBe('a')
  expect((await client.getSecret('a')).value).toBe('v1')
})

test('a purged secret is gone, by hand or when its time is over', async () => {
  await using stack = await startStack({ transitionMs: 0, retentionDays: 7 })
  const { client } = stack
  for (const name of ['a', 'b']) {
    const { properties } = await client.setSecret(name, 'v')
    expect(properties.recoveryLevel).toBe('CustomizedRecoverable+Purgeable')
    await client.beginDeleteSecret(name, FAST_POLL)
  }
  await client.purgeDeletedSecret('a')
  expect((await collect(client.listDeletedSecrets())).map(({ name }) => name)).toEqual(['b'])
  stack.vault.control.clock.advance(7 * 86_400_000)
  for (const name of ['a', 'b']) {
    expect(await refusal(client.getDeletedSecret(name))).toEqual([404, 'SecretNotFound', undefined])
    expect((await client.setSecret(name, 'new')).value).toBe('new')
    expect(await collect(client.listPropertiesOfSecretVersions(name))).toHaveLength(1)
  }
})

test('a backup restores every version, but only where the name is free', async () => {
  await using stack = await startStack({ transitionMs: 0 })
  const { client } = stack
  const first = await client.setSecret('a', 'v1')
  await client.setSecret('a', 'v2', { tags: { t: '1' } })
  const backup = (await client.backupSecret('a')) ?? new Uint8Array()
  const restore = () => refusal(client.restoreSecretBackup(backup))
  expect(await restore()).toEqual([409, 'Conflict', 'ObjectAlreadyExists'])
  await client.beginDeleteSecret('a', FAST_POLL)
  expect(await restore()).toEqual([409, 'Conflict', 'ObjectIsDeletedButRecoverable'])
  await client.purgeDeletedSecret('a')
  expect((await client.restoreSecretBackup(backup)).name).toBe('a')
  expect((await client.getSecret('a')).value).toBe('v2')
  const version = first.properties.version ?? ''
  expect((await client.getSecret('a', { version })).value).toBe('v1')
  await expect(client.restoreSecretBackup(new Uint8Array(4728))).rejects.toThrow(
    'Backup blob contains invalid or corrupt version.',
  )
})

test.for<[string, (client: ReturnType<typeof clientOf>) => Promise<unknown>, unknown[]]>([
  ['an unknown secret', (c) => c.getSecret('none'), [404, 'SecretNotFound']],
  [
    'an unknown version',
    (c) => c.getSecret('there', { version: '0'.repeat(32) }),
    [404, 'SecretNotFound'],
  ],
  ['an update of nothing', (c) => c.updateSecretProperties('none', '', {}), [404]],
  ['a deletion of nothing', (c) => c.beginDeleteSecret('none'), [404, 'SecretNotFound']],
  ['a recovery of nothing', (c) => c.beginRecoverDeletedSecret('none'), [404, 'SecretNotFound']],
  ['a purge of nothing', (c) => c.purgeDeletedSecret('none'), [404, 'SecretNotFound']],
  ['a backup of nothing', (c) => c.backupSecret('none'), [404, 'SecretNotFound']],
  ['an empty name', (c) => c.setSecret('', 'v'), [405, 'MethodNotAllowed']],
  ['an underscore in a name', (c) => c.setSecret('a_b', 'v'), [400, 'BadParameter']],
  ['a dot in a name', (c) => c.getSecret('a.b'), [400, 'BadParameter']],
  ['a name of 128 letters', (c) => c.setSecret('n'.repeat(128), 'v'), [400, 'BadParameter']],
  [
    'a value of more than 25 KB',
    (c) => c.setSecret('a', 'x'.repeat(25 * 1024 + 1)),
    [400, 'BadParameter'],
  ],
  [
    'sixteen tags',
    (c) =>
      c.setSecret('a', 'v', {
        tags: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, ''])),
      }),
    [400, 'BadParameter'],
  ],
  ['a page of 26', (c) => collect(c.listPropertiesOfSecrets().byPage({ maxPageSize: 26 })), [400]],
])('%s is refused as by the service', async ([, call, expected]) => {
  await using stack = await startStack()
  await stack.client.setSecret('there', 'v')
  const seen = await refusal(call(stack.client))
  expect(Array.isArray(seen) && seen.slice(0, expected.length)).toEqual(expected)
})

test('older API versions are served, unknown ones refused', async () => {
  await using stack = await startStack()
  const { KEY_VAULT_URL: url } = stack.vault.settings
  const headers = { authorization: `Bearer ${(await stack.credential.getToken([]))?.token}` }
  const statusOf = async (version: string) =>
    (await fetch(`${url}/secrets?api-version=${version}`, { headers })).status
  for (const version of ['2016-10-01', '7.0', '7.4', '7.6-preview.2', '2025-07-01', '2026-04-01'])
    expect([version, await statusOf(version)]).toEqual([version, 200])
  for (const version of ['6.0', '2027-01-01', 'latest', ''])
    expect([version, await statusOf(version)]).toEqual([version, 400])
  const old = clientOf(stack.vault, stack.credential, { serviceVersion: '7.5' })
  expect((await old.setSecret('a', 'v')).value).toBe('v')
})

test('plain http at the same port serves a client that believes to speak https to the cloud', async () => {
  await using stack = await startStack()
  const port = new URL(stack.vault.settings['KEY_VAULT_URL'] ?? '').port
  const options = { httpClient: plainHttpClient(port), disableChallengeResourceVerification: false }
  const cloud = { ...stack.vault, settings: { KEY_VAULT_URL: 'https://local.vault.azure.net' } }
  const client = clientOf(cloud, stack.credential, options)
  for (const name of ['a', 'b', 'c']) await client.setSecret(name, `of ${name}`)
  expect((await client.getSecret('a')).value).toBe('of a')
  const pages = await collect(client.listPropertiesOfSecrets().byPage({ maxPageSize: 1 }))
  expect(pages.flat().map(({ vaultUrl }) => vaultUrl)).toEqual(
    Array.from({ length: 3 }, () => 'https://local.vault.azure.net'),
  )
})
