import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../infra/local/key-vault/limits.ts'
import { startIdentity } from '../../../infra/local/identity/identity.ts'
import { clientOf, collect, refusal, startStack, VAULT } from './clients.ts'

const FAST_POLL = { intervalInMs: 1 }

test('the first request is challenged, the token then serves all others', async () => {
  await using stack = await startStack()
  let asked = 0
  const client = clientOf(stack.vault, {
    getToken: (scopes) => {
      asked += 1
      expect(scopes).toEqual([`${VAULT}/.default`])
      return stack.credential.getToken(scopes)
    },
  })
  await client.setSecret('a', 'v')
  await client.getSecret('a')
  expect([asked, stack.vault.control.calls()]).toEqual([
    1,
    { challenge: 1, setSecret: 1, getSecret: 1 },
  ])
})

test('only a token of our identity for the vault opens it', async () => {
  await using stack = await startStack()
  await using stranger = await startIdentity()
  const statusOf = async (token: string) => {
    const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 1e7 }) }
    return refusal(clientOf(stack.vault, credential).setSecret('a', 'v'))
  }
  const good = await stack.identity.accessToken(VAULT)
  const unauthorized = [401, 'Unauthorized', undefined]
  expect(await statusOf(good)).toBe('no refusal')
  expect(await statusOf(await stack.identity.accessToken(`${VAULT}/`))).toBe('no refusal')
  expect(await statusOf(await stack.identity.accessToken('https://storage.azure.com'))).toEqual(
    unauthorized,
  )
  expect(await statusOf(await stranger.accessToken(VAULT))).toEqual(unauthorized)
  expect(await statusOf('not-a-token')).toEqual(unauthorized)
  expect(await statusOf(`${good.slice(0, -8)}AAAAAAAA`)).toEqual(unauthorized)
  stack.identity.control.clock.advance(25 * 3_600_000)
  expect(await statusOf(good)).toEqual(unauthorized)
})

test('a planned 429 is waited out by the client', async () => {
  await using stack = await startStack()
  stack.vault.control.fail({ operation: 'setSecret', status: 429, headers: { 'retry-after': '0' } })
  expect((await stack.client.setSecret('a', 'v')).value).toBe('v')
  expect(stack.vault.control.calls()['setSecret']).toBe(2)
})

test("the service's limit of requests holds in each window of ten seconds", async () => {
  await using stack = await startStack({ throttle: true })
  const client = clientOf(stack.vault, stack.credential, { retryOptions: { maxRetries: 0 } })
  const sets = Array.from({ length: LIMITS.createRequests }, (_, i) => i)
  for (const i of sets) await client.setSecret('a', `v${i}`)
  expect(await refusal(client.setSecret('a', 'over'))).toEqual([429, 'Throttled', undefined])
  expect((await client.getSecret('a')).value).toBe(`v${LIMITS.createRequests - 1}`)
  stack.vault.control.clock.advance(LIMITS.throttleWindowMs)
  expect((await client.setSecret('a', 'later')).value).toBe('later')
})

test('no list, no refusal and not the control channel shows a value', async () => {
  await using stack = await startStack()
  const secret = 'never-to-be-seen'
  await stack.client.setSecret('a', secret, { tags: { t: 'x' } })
  const shown = JSON.stringify(stack.vault.control.inspect())
  expect(shown).toContain('"name":"a"')
  expect(shown).not.toContain(secret)
  const { KEY_VAULT_URL: url } = stack.vault.settings
  const authorization = `Bearer ${await stack.identity.accessToken(VAULT)}`
  for (const path of ['/secrets', '/secrets/a/versions']) {
    const answer = await fetch(`${url}${path}?api-version=7.5`, { headers: { authorization } })
    expect([answer.status, (await answer.text()).includes(secret)]).toEqual([200, false])
  }
  for (const body of [`{"value":["${secret}"]}`, `{"value":"${secret}`, `"${secret}"`]) {
    const answer = await fetch(`${url}/secrets/a?api-version=7.5`, {
      method: 'PUT',
      headers: { authorization },
      body,
    })
    expect([answer.status, (await answer.text()).includes(secret)]).toEqual([400, false])
  }
})

test('a vault with a file finds its secrets again, and only their owner can read it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-vault-test-'))
  await using _ = {
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
  const file = join(folder, 'vault.db')
  let version: string | undefined
  {
    await using stack = await startStack({ file, transitionMs: 0 })
    version = (await stack.client.setSecret('kept', 'v1')).properties.version
    await stack.client.setSecret('kept', 'v2', { enabled: true, tags: { t: '1' } })
    for (const name of ['deleted', 'purged']) {
      await stack.client.setSecret(name, 'v')
      await stack.client.beginDeleteSecret(name, FAST_POLL)
    }
    await stack.client.purgeDeletedSecret('purged')
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await using stack = await startStack({ file, transitionMs: 0 })
  const kept = await stack.client.getSecret('kept')
  expect([kept.value, kept.properties.tags]).toEqual(['v2', { t: '1' }])
  expect((await stack.client.getSecret('kept', { version: version ?? '' })).value).toBe('v1')
  const deleted = await collect(stack.client.listDeletedSecrets())
  expect(deleted.map(({ name }) => name)).toEqual(['deleted'])
})

test('the authority is trusted until that is disposed, and vouches for both loopback names', async () => {
  const before = tls.getCACertificates('default').length
  const stack = await startStack()
  const { KEY_VAULT_URL: url = '', NODE_EXTRA_CA_CERTS: path = '' } = stack.vault.settings
  expect(tls.getCACertificates('default')).toHaveLength(before + 1)
  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(url.replace('127.0.0.1', 'localhost'))).status).toBe(401)
  await stack[Symbol.asyncDispose]()
  expect(tls.getCACertificates('default')).toHaveLength(before)
  await expect(stat(path)).rejects.toThrow('ENOENT')
})

test('a connection that never says anything does not keep the vault from stopping', async () => {
  const stack = await startStack()
  const { port } = new URL(stack.vault.settings['KEY_VAULT_URL'] ?? '')
  const silent = connect(Number(port), '127.0.0.1')
  await once(silent, 'connect')
  const closed = once(silent, 'close')
  await stack[Symbol.asyncDispose]()
  await closed
  expect(silent.destroyed).toBe(true)
})

test('production code runs unchanged in a process that got only the settings', async () => {
  await using stack = await startStack()
  const program = `
    import { ManagedIdentityCredential } from '@azure/identity'
    import { SecretClient } from '@azure/keyvault-secrets'
    const clientId = process.argv[1]
    const credential = clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential()
    const client = new SecretClient(process.env.KEY_VAULT_URL, credential, { disableChallengeResourceVerification: true })
    await client.setSecret('from-child', clientId || 'system')
    console.log((await client.getSecret('from-child')).value)
  `
  for (const clientId of ['', '11111111-2222-4333-8444-555555555555']) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program, clientId],
      { env: { ...process.env, ...stack.vault.settings, ...stack.identity.settings } },
    )
    expect(stdout.trim()).toBe(clientId || 'system')
  }
  expect(stack.identity.control.calls()).toEqual({ 'GET /msi/token': 2 })
})
