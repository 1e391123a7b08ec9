import { BlobServiceClient } from '@azure/storage-blob'
import { ServiceBusClient } from '@azure/service-bus'
import { expect, test } from 'vitest'
import { demo, seedRegistration } from '../../infra/local/demo.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { cosmosClient } from '../../infra/local/seed.ts'
import type { Connection } from '../../src/core/connection.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import type { Task } from '../../src/sync/task.ts'
import topology from '../../src/topology.json' with { type: 'json' }
import { fireTimer, startRunning, type Running } from './running.ts'
import { bearer, read, runYearly, store, until, vaultOf } from './tenant.ts'
import { portOf, wiretap, type Heard } from './wiretap.ts'

const USER = '6816f79cc0a8016401c5a33be04be441'

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

/** Everything that the stack keeps, by where it is kept. */
async function storedTexts({ stack }: Running): Promise<Map<string, string[]>> {
  using client = cosmosClient(stack)
  const texts = new Map<string, string[]>()
  for (const { name } of Object.values(topology.containers)) {
    const container = client.database(topology.database).container(name)
    const { resources } = await container.items.readAll().fetchAll()
    texts.set(
      name,
      resources.map((one) => JSON.stringify(one)),
    )
  }
  const blobs: string[] = []
  const service = BlobServiceClient.fromConnectionString(
    stack.settings['AzureWebJobsStorage'] ?? '',
  )
  for await (const { name: container } of service.listContainers()) {
    const blobsIn = service.getContainerClient(container)
    for await (const { name, metadata } of blobsIn.listBlobsFlat({ includeMetadata: true })) {
      const content = await blobsIn.getBlobClient(name).downloadToBuffer()
      blobs.push(JSON.stringify({ name, metadata }), content.toString())
    }
  }
  return texts.set('blobs', blobs)
}

/** What is waiting in a queue: now, later, or because nobody could work on it. */
async function queuedTexts({ stack }: Running): Promise<string[]> {
  const client = new ServiceBusClient(stack.settings['SERVICE_BUS_CONNECTION_STRING'] ?? '')
  const texts: string[] = []
  for (const { name } of Object.values(topology.queues)) {
    for (const from of [{}, { subQueueType: 'deadLetter' } as const]) {
      const receiver = client.createReceiver(name, from)
      for (const message of await receiver.peekMessages(250)) {
        texts.push(JSON.stringify([message.body, message.applicationProperties]))
      }
    }
  }
  await client.close()
  return texts
}

/** The places of a call that are made for what proves who we are. */
const proofs = ['authorization', 'x-sn-apikey']

/** The parts of a call in which no secret has any business. */
function innocent({ url, headers, body }: Heard, isTokenEndpoint: boolean): string {
  const others = Object.entries(headers).filter(([name]) => !proofs.includes(name))
  return JSON.stringify([url, others, isTokenEndpoint ? '' : body])
}

test('no secret of the vault is stored, logged or sent anywhere but to its own place', async () => {
  await using running = await startRunning({ serviceNow: { count: 30 }, storage: true })
  await using twin = await startOAuthProvider({ profile: 'servicenow' })
  const { settings } = running.stack
  const busPort = portOf(settings['SERVICE_BUS_CONNECTION_STRING'])
  using tap = wiretap([busPort])
  const instanceUrl = twin.settings['OAUTH_PROVIDER_URL']
  await runYearly(running)
  const bidirectional = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...bidirectional, syncMode: 'bidirectional' })
  const plant = async (name: string, secret: Readonly<Record<string, string>>) => {
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
      type: secret['kind'] === 'refresh_token' ? 'oauth2' : secret['kind'],
    })
    const task = { id: `task-${name}`, connectionId: ids.connectionId, syncMode: 'pull' }
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
  await plant('oauth', first)
  await plant('basic', { kind: 'basic', username: 'canary', password: 'canary-pass-4711' })
  await plant('key', { kind: 'api_key', header: 'x-sn-apikey', key: 'canary-key-4711' })
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
  const answers = [await askForPhone(running, functions, instanceUrl)]
  await pushOne(running, functions)
  answers.push(...(await deliverWebhooks(running, functions)))
  await sendNonsense(running)

  const secrets = await secretsOf(running)
  expect(secrets.length).toBeGreaterThanOrEqual(12)
  expect(secrets).toContain(first.refreshToken)
  expect(secrets).toContain(WEBHOOK_TOKEN)
  const leaks = (texts: readonly string[]) =>
    texts.filter((text) => secrets.some((secret) => text.includes(secret)))
  const ports = {
    vault: portOf(settings['KEY_VAULT_URL']),
    vendors: [portOf(instanceUrl), portOf(settings['SERVICENOW_URL'])],
    cosmos: portOf(settings['COSMOS_ENDPOINT']),
  }
  const isTokenEndpoint = ({ port, url }: Heard) =>
    ports.vendors.includes(port) && /^\/oauth_(token|revoke_token)\.do$/.test(url)
  const sentTo = (port: number) => tap.heard.filter((one) => one.port === port)
  const inspect = async () => {
    const stored = await storedTexts(running)
    const sent = tap.heard.filter(({ port }) => port !== ports.vault)
    return {
      stored: [...stored].flatMap(([place, texts]) => leaks(texts).map(() => place)),
      queued: leaks(await queuedTexts(running)).length,
      sent: leaks(sent.map((one) => innocent(one, isTokenEndpoint(one)))).length,
      logged: leaks(lines).length,
      answered: leaks(answers).length,
      empty: [...stored].filter(([, texts]) => texts.length === 0).map(([place]) => place),
    }
  }
  const clean = { stored: [], queued: 0, sent: 0, logged: 0, answered: 0 }
  const { empty, ...found } = await inspect()
  expect(found).toEqual(clean)

  // It was looked at: every place holds something, and calls went everywhere.
  expect(empty).toEqual([])
  expect(lines.length).toBeGreaterThan(20)
  for (const port of [...ports.vendors, ports.cosmos, busPort]) {
    expect(sentTo(port).some(({ body }) => body.length > 0)).toBe(true)
  }
  expect(sentTo(busPort).some(({ body }) => body.includes(demo.taskId))).toBe(true)
  // The secrets that do go out go in the header for them, and nothing that lasts goes but to the token endpoint.
  const lasting = [first.refreshToken, TWIN_CLIENT.clientSecret]
  const elsewhere = tap.heard.filter((one) => one.port !== ports.vault && !isTokenEndpoint(one))
  expect(
    elsewhere.filter((one) => lasting.some((text) => JSON.stringify(one).includes(text))),
  ).toEqual([])

  // And it would be found: one secret, on purpose, in each place.
  const [leaked = ''] = secrets
  await store(running, 'results', { id: 'leak', tenantId: demo.tenantId, note: leaked })
  const { stored: inStore } = await inspect()
  expect(inStore).toEqual([topology.containers.results.name])
  await send(running, { note: leaked }, new Date(Date.now() + 3_600_000))
  expect(await inspect()).toMatchObject({ queued: 1 })
  await putBlob(running, leaked)
  expect((await inspect()).stored).toContain('blobs')
  const before = (await inspect()).sent
  await fetch(`${instanceUrl}/anything?token=${encodeURIComponent(leaked)}`)
  expect((await inspect()).sent).toBe(before + 1)
  lines.push(`a line with ${leaked} in it`)
  expect(await inspect()).toMatchObject({ logged: 1 })
}, 120_000)

const WEBHOOK_TOKEN = 'canary-webhook-token-4711-4711'

async function askForPhone(running: Running, { url }: FunctionsProcess, instanceUrl = '') {
  const key = { 'x-functions-key': running.stack.settings['FUNCTIONS_KEY'] ?? '' }
  const answer = await fetch(`${url}/api/oauth-refresh`, {
    method: 'POST',
    headers: { ...key, ...(await bearer(running, USER, ['viewer'])) },
    body: JSON.stringify({ userSysId: USER, instanceUrl }),
  })
  return answer.text()
}

/** An operator changes a record, and the vendor has it. */
async function pushOne(running: Running, { url }: FunctionsProcess): Promise<void> {
  const headers = { ...(await bearer(running, 'op')), 'content-type': 'application/json' }
  const list = await fetch(`${url}/api/v1/records?entityType=incident`, { headers })
  const { data } = (await list.json()) as {
    data: { id: string; links: { externalId: string }[] }[]
  } // as documented
  const control = running.stack.serviceNow.control
  const own = data.find(({ links }) =>
    links.some(({ externalId }) => control.row('incident', externalId)),
  )
  const path = `${url}/api/v1/records/${own?.id}?entityType=incident`
  const etag = (await fetch(path, { headers })).headers.get('etag') ?? ''
  const fields = { shortDescription: 'pushed by an operator' }
  const changed = await fetch(path, {
    method: 'PATCH',
    headers: { ...headers, 'if-match': etag },
    body: JSON.stringify({ fields }),
  })
  expect(changed.status).toBe(200)
  await until(() =>
    control.rows('incident').some((row) => row['short_description'] === 'pushed by an operator'),
  )
}

/** A sender that proves itself with the secret itself: small and large, right and wrong. */
async function deliverWebhooks(running: Running, { url }: FunctionsProcess): Promise<string[]> {
  await seedRegistration(running.stack, {
    id: 'reg-token',
    connectionId: demo.connectionId,
    scheme: 'static-token',
    secret: WEBHOOK_TOKEN,
  })
  const large = JSON.stringify({ id: '2', text: 'x'.repeat(400_000) })
  const statuses: number[] = []
  const texts: string[] = []
  for (const [token, body] of [
    [WEBHOOK_TOKEN, '{"id":"1"}'],
    [WEBHOOK_TOKEN, large],
    ['wrong', '{"id":"3"}'],
  ] as const) {
    const answer = await fetch(`${url}/webhooks/reg-token/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-webhook-token': token },
      body,
    })
    statuses.push(answer.status)
    texts.push(await answer.text())
  }
  expect(statuses).toEqual([200, 200, 401])
  return texts
}

async function send(running: Running, body: unknown, at?: Date): Promise<void> {
  const client = new ServiceBusClient(running.stack.settings['SERVICE_BUS_CONNECTION_STRING'] ?? '')
  const sender = client.createSender(topology.queues.inbound.name)
  await sender.sendMessages({
    body,
    sessionId: 'a-session',
    ...(at ? { scheduledEnqueueTimeUtc: at } : {}),
  })
  await client.close()
}

/** A message that nobody can read is parked. */
async function sendNonsense(running: Running): Promise<void> {
  await send(running, { nonsense: true })
  await until(async () => {
    const parked = (await storedTexts(running)).get(topology.containers.parked.name) ?? []
    return parked.length > 0
  })
}

async function putBlob({ stack }: Running, text: string): Promise<void> {
  const connection = stack.settings['AzureWebJobsStorage'] ?? ''
  const container = BlobServiceClient.fromConnectionString(connection).getContainerClient('leaks')
  await container.createIfNotExists()
  await container.getBlockBlobClient('leak').upload(text, Buffer.byteLength(text))
}
