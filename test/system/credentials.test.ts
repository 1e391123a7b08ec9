import { expect, test } from 'vitest'
import { countStored, demo } from '../../infra/local/demo.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { pusherId, type PusherDocument } from '../../src/sync/record.ts'
import type { Task } from '../../src/sync/task.ts'
import { startRunning, type Running } from './running.ts'
import { bearer, read, runTask, runYearly, store, until, vaultOf } from './tenant.ts'

/** An admin consents anew, in a browser of their own; nobody else can end what it began. */
async function reconnect(running: Running, functions: FunctionsProcess): Promise<void> {
  const authorize = await fetch(`${functions.url}/api/oauth/authorize/${demo.connectionId}`, {
    headers: await bearer(running, 'an-admin'),
    redirect: 'manual',
  })
  expect(authorize.status).toBe(302)
  const set = authorize.headers.get('set-cookie') ?? ''
  expect(set).toMatch(
    /^__Host-[\w-]+=[\w-]{40,}; Path=\/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$/,
  )
  const cookie = set.slice(0, set.indexOf(';'))
  const sent = await fetch(authorize.headers.get('location') ?? '', { redirect: 'manual' })
  const callback = sent.headers.get('location') ?? ''
  expect(new URL(callback).pathname).toBe('/api/oauth/callback')
  const elsewhere = await fetch(callback)
  expect(elsewhere.status).toBe(403)
  const consented = await fetch(callback, { headers: { cookie: `other=1; ${cookie}` } })
  expect([consented.status, consented.headers.get('set-cookie')]).toEqual([
    200,
    expect.stringContaining('Max-Age=0'),
  ])
  const again = await fetch(callback, { headers: { cookie } })
  expect(again.status).toBe(400)
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

  await reconnect(running, functions)
  const hostile = await fetch(`${functions.url}/api/oauth/callback?state=x&error=<script>`)
  expect([hostile.status, hostile.headers.get('content-type')]).toEqual([
    400,
    expect.stringContaining('application/json'),
  ])
  expect(await hostile.text()).not.toContain('script')

  await runTask(running, functions)
  expect((await countStored(running.stack)).records).toBe(50)
}, 90_000)

const pushedBy = (title: string) => (row: object) => Object.values(row).includes(title)

test('what waits to be pushed while a grant is dead goes out by itself after the reconnect, told once each time', async () => {
  await using running = await startRunning({ serviceNow: { count: 5 } })
  await runYearly(running)
  const task = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...task, syncMode: 'bidirectional' })
  const lines: string[] = []
  await using functions = await running.startFunctions({ onLine: (line) => lines.push(line) })
  const { control } = running.stack.serviceNow
  await runTask(running, functions)
  const headers = { ...(await bearer(running, 'op')), 'content-type': 'application/json' }
  const list = await fetch(`${functions.url}/api/v1/records?entityType=incident`, { headers })
  const { data } = (await list.json()) as { data: { id: string }[] } // as documented
  const change = async (title: string) => {
    for (const { id } of data) {
      const path = `${functions.url}/api/v1/records/${id}?entityType=incident`
      const etag = (await fetch(path, { headers })).headers.get('etag') ?? ''
      const body = JSON.stringify({ fields: { shortDescription: title } })
      const options = { method: 'PATCH', headers: { ...headers, 'if-match': etag }, body }
      expect((await fetch(path, options)).status).toBe(200)
    }
  }
  const told = () => lines.filter((line) => /"level":"error".*token refresh failed/.test(line))
  const tokenCalls = () => control.calls()['POST /oauth_token.do'] ?? 0
  const needsReauth = async () =>
    (await read<Credential>(running, 'credentials', demo.credentialId)).needsReauth
  const waits = async () =>
    (await read<PusherDocument>(running, 'shards', pusher)).notBefore !== null

  for (const round of [1, 2]) {
    control.revokeTokens()
    const before = tokenCalls()
    await change(`first change of round ${round}`)
    await until(needsReauth)
    await until(waits)
    await change(`change of round ${round}`)
    await runTask(running, functions)
    expect(tokenCalls() - before).toBe(1)
    expect(told()).toHaveLength(round)
    expect(control.rows('incident').some(pushedBy(`change of round ${round}`))).toBe(false)
    expect((await countStored(running.stack)).parked).toBe(0)

    await reconnect(running, functions)
    await passQuarterOfAnHour(running)
    await until(() => control.rows('incident').every(pushedBy(`change of round ${round}`)))
    // The code was exchanged; that token did the rest.
    expect(tokenCalls() - before).toBe(2)
    expect(told()).toHaveLength(round)
  }
}, 90_000)

const pusher = pusherId({
  tenantId: demo.tenantId,
  connectionId: demo.connectionId,
  entityType: demo.entityType,
})

/** In the store, where the functions' own clock cannot be stepped, and at the bus. */
async function passQuarterOfAnHour(running: Running): Promise<void> {
  const document = await read<PusherDocument>(running, 'shards', pusher)
  await store(running, 'shards', { ...document, notBefore: null })
  running.stack.serviceBus.control.clock.advance(15 * 60_000)
}

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
  const session = { authorization: `Bearer ${sessionToken}` }
  const sent = await fetch(url, { redirect: 'manual' })
  const callback = sent.headers.get('location') ?? ''
  // Somebody who was sent the link has nothing to show.
  expect((await fetch(callback)).status).toBe(403)
  expect((await fetch(callback, { headers: mine })).status).toBe(403)
  expect((await fetch(callback, { headers: session })).status).toBe(200)
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
