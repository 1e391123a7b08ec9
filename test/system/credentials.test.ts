import { setTimeout as delay } from 'node:timers/promises'
import { SecretClient } from '@azure/keyvault-secrets'
import { expect, test } from 'vitest'
import topology from '../../src/topology.json' with { type: 'json' }
import { cosmosClient, countStored, demo, identityOf } from '../../infra/local/demo.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { trustAuthority } from '../../infra/local/tls.ts'
import type { Connection } from '../../src/core/connection.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import type { Task } from '../../src/sync/task.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await delay(50)
}

type Name = keyof typeof topology.containers

async function store(running: Running, name: Name, document: object): Promise<void> {
  using client = cosmosClient(running.stack)
  const container = client.database(topology.database).container(topology.containers[name].name)
  await container.items.upsert(document)
}

async function read<T>(running: Running, name: Name, id: string): Promise<T> {
  using client = cosmosClient(running.stack)
  const container = client.database(topology.database).container(topology.containers[name].name)
  const query = {
    query: 'SELECT * FROM c WHERE c.id = @id',
    parameters: [{ name: '@id', value: id }],
  }
  const { resources } = await container.items.query<T>(query).fetchAll()
  const [found] = resources
  if (!found) throw new Error(`${name} has no ${id}`)
  return found
}

/** The vault, as its owner sees it. */
function vaultOf({ stack: { settings } }: Running) {
  const { KEY_VAULT_URL = '', NODE_EXTRA_CA_CERTS = '' } = settings
  const trust = trustAuthority(NODE_EXTRA_CA_CERTS)
  const client = new SecretClient(KEY_VAULT_URL, identityOf(settings), {
    disableChallengeResourceVerification: true,
  })
  return { client, [Symbol.dispose]: () => trust[Symbol.dispose]() }
}

async function bearer(running: Running, subject: string, roles: string[] = ['admin']) {
  const { issuer } = running.stack
  const minted = await issuer.control.mint({ subject, tenantId: demo.tenantId, roles })
  return { authorization: `Bearer ${minted.token}` }
}

/** No slot of the demo's task comes by itself while a test runs. */
async function runYearly(running: Running): Promise<void> {
  const task = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...task, schedule: '0 0 0 1 1 *' })
}

async function runTask(running: Running, functions: FunctionsProcess): Promise<void> {
  const task = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...task, status: 'pending', claim: null, nextScheduled: null })
  await fireTimer(running, functions, 'SyncScheduler')
  await until(async () => {
    const { status } = await read<Task>(running, 'tasks', demo.taskId)
    return status === 'completed' || status === 'failed'
  })
}

test('a revoked grant parks the work, is told once, is not hammered, and a person’s consent lets it go on', async () => {
  await using running = await startRunning({ serviceNow: { count: 50 } })
  await runYearly(running)
  const lines: string[] = []
  await using functions = await running.startFunctions({ onLine: (line) => lines.push(line) })
  const { control } = running.stack.serviceNow
  control.revokeTokens()

  for (let round = 0; round < 3; round += 1) await runTask(running, functions)
  expect(control.calls()).toEqual({ 'POST /oauth_token.do': 1 })
  expect(await read<Credential>(running, 'credentials', demo.credentialId)).toMatchObject({
    needsReauth: true,
  })
  const told = lines.filter((line) => /"level":"error".*token refresh failed/.test(line))
  expect(told).toHaveLength(1)
  expect(told[0]).toContain(demo.credentialId)
  const failed = await read<Task>(running, 'tasks', demo.taskId)
  expect(failed.status).toBe('failed')

  const authorize = await fetch(`${functions.url}/api/oauth/authorize/${demo.connectionId}`, {
    headers: await bearer(running, 'an-admin'),
    redirect: 'manual',
  })
  expect(authorize.status).toBe(302)
  const consented = await fetch(authorize.headers.get('location') ?? '')
  expect([consented.status, new URL(consented.url).pathname]).toEqual([200, '/api/oauth/callback'])
  const again = await fetch(consented.url)
  expect(again.status).toBe(400)

  await runTask(running, functions)
  expect((await countStored(running.stack)).records).toBe(50)
}, 90_000)

const USER = '6816f79cc0a8016401c5a33be04be441'

test('a phone gets a token over HTTP, and everybody else a clear refusal', async () => {
  await using running = await startRunning()
  await using functions = await running.startFunctions()
  const { stack } = running
  const instanceUrl = stack.settings['SERVICENOW_URL'] ?? ''
  const key = { 'x-functions-key': stack.settings['FUNCTIONS_KEY'] ?? '' }
  const mine = await bearer(running, USER, ['viewer'])
  const post = async (headers: Record<string, string>, body: unknown) => {
    const response = await fetch(`${functions.url}/api/oauth-refresh`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as unknown) }
  }
  const good = { userSysId: USER, instanceUrl }
  const refusals: readonly [Record<string, string>, unknown, number][] = [
    [mine, good, 401],
    [key, good, 401],
    [{ ...key, authorization: 'Bearer nonsense' }, good, 401],
    [{ ...key, authorization: 'Bearer device1.ZGVtbw.nonsense' }, good, 401],
    [{ ...key, ...mine }, {}, 400],
    [{ ...key, ...mine }, { userSysId: USER }, 400],
    [{ ...key, ...mine }, 'not json', 400],
    [{ ...key, ...mine }, { ...good, userSysId: 'another' }, 403],
    [{ ...key, ...mine }, { ...good, instanceUrl: 'https://acme-service.now.com' }, 403],
    [{ ...key, ...mine }, { ...good, instanceUrl: `${instanceUrl}/../x` }, 403],
    [{ ...key, ...mine }, good, 404],
  ]
  const statuses: number[] = []
  for (const [headers, body] of refusals) statuses.push((await post(headers, body)).status)
  expect(statuses).toEqual(refusals.map(([, , status]) => status))
  expect(await post({ ...key, ...mine }, good)).toMatchObject({
    body: { error: 'Refresh token not found', code: 'credential_not_found' },
  })
  expect(stack.serviceNow.control.calls()).toEqual({})

  const started = await fetch(
    `${functions.url}/api/oauth/authorize/${demo.connectionId}?device=my%20phone`,
    { headers: mine },
  )
  const { url, sessionToken } = (await started.json()) as { url: string; sessionToken: string } // as documented
  expect((await fetch(url)).status).toBe(200)

  const session = { authorization: `Bearer ${sessionToken}` }
  const first = await post({ ...key, ...mine }, good)
  expect(first).toMatchObject({ status: 200, body: { tokenType: 'Bearer' } })
  expect(Object.keys(first.body as object).sort()).toEqual([
    'accessToken',
    'expiresIn',
    'tokenType',
  ])
  const many = await Promise.all(
    Array.from({ length: 10 }, () => post({ ...key, ...session }, good)),
  )
  expect(new Set(many.map(({ status }) => status))).toEqual(new Set([200]))
  // The code was exchanged; that token still lives and nobody needs another.
  expect(stack.serviceNow.control.calls()['POST /oauth_token.do']).toBe(1)

  expect(await deviceSecretDays(running)).toEqual([90])

  const listed = await fetch(`${functions.url}/api/oauth/sessions`, { headers: session })
  const { sessions } = (await listed.json()) as { sessions: { id: string; label: string }[] } // as documented
  expect(sessions).toMatchObject([{ label: 'my phone', status: 'active' }])
  const ended = await fetch(`${functions.url}/api/oauth/sessions/${sessions[0]?.id}`, {
    method: 'DELETE',
    headers: mine,
  })
  expect(ended.status).toBe(204)
  expect((await post({ ...key, ...session }, good)).status).toBe(401)
}, 60_000)

/** After how many days each phone's secret ends. */
async function deviceSecretDays(running: Running): Promise<number[]> {
  using vault = vaultOf(running)
  const days: number[] = []
  for await (const { name, expiresOn } of vault.client.listPropertiesOfSecrets()) {
    if (!name.startsWith('credential-device-')) continue
    days.push(Math.round(((expiresOn?.getTime() ?? 0) - Date.now()) / (24 * 3_600_000)))
  }
  return days
}

/** Every value in the vault, in every version: what may be nowhere else. */
async function secretsOf(running: Running): Promise<string[]> {
  using vault = vaultOf(running)
  const found = new Set<string>()
  for await (const { name } of vault.client.listPropertiesOfSecrets()) {
    for await (const { version } of vault.client.listPropertiesOfSecretVersions(name)) {
      const { value = '' } = await vault.client.getSecret(name, version ? { version } : {})
      for (const secret of secretTexts(value)) found.add(secret)
    }
  }
  return [...found]
}

const secretFields = ['refreshToken', 'accessToken', 'clientSecret', 'password', 'key']

function secretTexts(value: string): string[] {
  if (!value.startsWith('{')) return [value]
  const fields = JSON.parse(value) as Record<string, string> // our own secrets are flat
  return secretFields.flatMap((name) => fields[name] ?? [])
}

/** Everything that the stack keeps, as text. */
async function storedTexts({ stack }: Running): Promise<string[]> {
  using client = cosmosClient(stack)
  const database = client.database(topology.database)
  const texts: string[] = [JSON.stringify(stack.serviceBus.control.inspect())]
  for (const { name } of Object.values(topology.containers)) {
    const { resources } = await database.container(name).items.readAll().fetchAll()
    texts.push(...resources.map((one) => JSON.stringify(one)))
  }
  return texts
}

test('no secret of the vault is stored, logged or sent anywhere but to its own place', async () => {
  await using running = await startRunning({ serviceNow: { count: 30 } })
  await using twin = await startOAuthProvider({ profile: 'servicenow' })
  const instanceUrl = twin.settings['OAUTH_PROVIDER_URL']
  await runYearly(running)
  const plant = async (name: string, secret: { readonly kind: string }) => {
    using vault = vaultOf(running)
    await vault.client.setSecret(`credential-cred-${name}`, JSON.stringify(secret))
    const ids = { connectionId: `conn-${name}`, credentialId: `cred-${name}` }
    await store(running, 'connections', {
      ...(await read<Connection>(running, 'connections', demo.connectionId)),
      id: ids.connectionId,
      credentialId: ids.credentialId,
      config: { instanceUrl },
    })
    await store(running, 'credentials', {
      ...(await read<Credential>(running, 'credentials', demo.credentialId)),
      id: ids.credentialId,
      type: secret.kind === 'refresh_token' ? 'oauth2' : secret.kind,
    })
    const task = { id: `task-${name}`, connectionId: ids.connectionId }
    await store(running, 'tasks', {
      ...(await read<Task>(running, 'tasks', demo.taskId)),
      ...task,
      status: 'pending',
      claim: null,
    })
  }
  const grant = () => ({
    kind: 'refresh_token',
    refreshToken: twin.control.families.connect(),
    ...TWIN_CLIENT,
  })
  const lines: string[] = []
  await using functions = await running.startFunctions({ onLine: (line) => lines.push(line) })
  const slices = () => lines.filter((line) => /"slice (finished|continued)/.test(line)).length
  const run = async (expected: number) => {
    const before = slices()
    await fireTimer(running, functions, 'SyncScheduler')
    await until(() => slices() >= before + expected)
  }
  const first = grant()
  const basic = { kind: 'basic', username: 'canary', password: 'canary-pass-4711' }
  const apiKey = { kind: 'api_key', header: 'x-sn-apikey', key: 'canary-key-4711' }
  await plant('oauth', first)
  await plant('basic', basic)
  await plant('key', apiKey)
  await run(4)

  // A server that sends our own secrets back, in every place that might find its way into a log.
  const echoes: readonly ((secret: string) => { status: number; body: string })[] = [
    (secret) => ({
      status: 400,
      body: JSON.stringify({ error: 'weird', error_description: secret, message: secret }),
    }),
    (secret) => ({ status: 400, body: JSON.stringify({ error: secret, status: secret }) }),
    (secret) => ({ status: 500, body: `<html>${secret}</html>` }),
  ]
  for (const [index, echo] of echoes.entries()) {
    const planted = grant()
    await plant(`echo-${index}`, planted)
    twin.control.fail({ operation: '^token$', times: 3, ...echo(planted.refreshToken) })
    await run(1)
    twin.control.clearFaults()
  }
  const failures = lines.filter((line) => /"level":"warning".*token refresh failed/.test(line))
  expect(failures).toHaveLength(echoes.length)
  await fireTimer(running, functions, 'TokenRefresher')
  const key = { 'x-functions-key': running.stack.settings['FUNCTIONS_KEY'] ?? '' }
  const mine = await bearer(running, USER, ['viewer'])
  const asked = await fetch(`${functions.url}/api/oauth-refresh`, {
    method: 'POST',
    headers: { ...key, ...mine },
    body: JSON.stringify({ userSysId: USER, instanceUrl }),
  })
  const answered = await asked.text()

  const secrets = await secretsOf(running)
  expect(secrets.length).toBeGreaterThanOrEqual(10)
  expect(secrets).toContain(first.refreshToken)
  const leaks = (texts: readonly string[]) =>
    texts.filter((text) => secrets.some((secret) => text.includes(secret)))
  expect(leaks(await storedTexts(running))).toEqual([])
  expect(lines.length).toBeGreaterThan(10)
  expect(leaks(lines)).toEqual([])
  expect(leaks([answered])).toEqual([])
  // At the vendor: what proves who we are stands in the header for it, the rest at the token endpoint.
  const sent = twin.control.requests.filter(({ endpoint }) => endpoint !== 'token')
  const proofs = ['authorization', 'x-sn-apikey']
  expect(sent.length).toBeGreaterThan(0)
  expect(
    leaks(
      sent.map(({ url, body, headers }) =>
        JSON.stringify([
          url,
          body,
          Object.entries(headers).filter(([name]) => !proofs.includes(name)),
        ]),
      ),
    ),
  ).toEqual([])
  const long = [first.refreshToken, TWIN_CLIENT.clientSecret]
  expect(sent.filter((one) => long.some((secret) => JSON.stringify(one).includes(secret)))).toEqual(
    [],
  )
}, 90_000)
