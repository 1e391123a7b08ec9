import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { demo } from '../../infra/local/demo.ts'
import { seedTask } from '../../infra/local/seed.ts'
import { apiOf } from './api-client.ts'
import { fireTimer, startRunning } from './running.ts'

const recordShape = z.looseObject({
  id: z.string(),
  fields: z.record(z.string(), z.unknown()),
  links: z.array(z.looseObject({ externalId: z.string().nullable() })),
  origins: z.record(z.string(), z.looseObject({ by: z.string() })),
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('operators see records, change them, and the change reaches the vendor and is not pushed twice', async () => {
  await using running = await startRunning({ serviceNow: { count: 5 } })
  const { control } = running.stack.serviceNow
  await seedTask(running.stack, {
    id: demo.taskId,
    tenantId: demo.tenantId,
    integrationId: demo.integrationId,
    connectionId: demo.connectionId,
    entityType: demo.entityType,
    syncMode: 'bidirectional',
    schedule: '0 0 * * * *',
  })
  await using functions = await running.startFunctions()
  const api = await apiOf(running, functions, { roles: ['operator'] })
  await fireTimer(running, functions, 'SyncScheduler')
  const all = async () =>
    z.array(recordShape).parse((await api('GET', 'records?entityType=incident')).json?.data)
  await until(async () => (await all()).length === 5)

  const [record] = await all()
  if (!record) throw new Error('there is no record')
  const path = `records/${record.id}?entityType=incident`
  const read = await api('GET', path)
  const changed = await api('PATCH', path, {
    etag: read.etag,
    body: { fields: { shortDescription: 'by an operator' } },
  })
  expect(changed).toMatchObject({
    status: 200,
    json: { data: { fields: { shortDescription: 'by an operator' } } },
  })
  expect(recordShape.parse(changed.json?.data).origins['shortDescription']?.by).toBe('local')
  const stale = await api('PATCH', path, {
    etag: read.etag,
    body: { fields: { shortDescription: 'too late' } },
  })
  expect(stale).toMatchObject({
    status: 409,
    json: { success: false, error: { code: 'conflict' } },
  })
  const sysId = record.links[0]?.externalId ?? ''
  await until(
    async () => control.row('incident', sysId)?.['short_description'] === 'by an operator',
  )

  const made = await api('POST', 'records', {
    body: { entityType: 'incident', fields: { shortDescription: 'made here' } },
  })
  expect(made.status).toBe(201)
  expect(made.location).toMatch(/^\/api\/v1\/records\/rec-/)
  await until(async () =>
    control.rows('incident').some((row) => row['short_description'] === 'made here'),
  )
  const created = recordShape.parse(made.json?.data)
  await until(
    async () =>
      (await api('GET', `records/${created.id}?entityType=incident`)).json?.data !== undefined,
  )
  expect((await api('DELETE', `records/${created.id}?entityType=incident`)).status).toBe(204)
  await until(async () =>
    control.rows('incident').every((row) => row['short_description'] !== 'made here'),
  )
  expect(control.rows('incident')).toHaveLength(5)
}, 60_000)

test('roles, tenants and shapes are held; what is refused says why', async () => {
  await using running = await startRunning({ serviceNow: { count: 1 } })
  await using functions = await running.startFunctions()
  const viewer = await apiOf(running, functions, { roles: ['viewer'] })
  const admin = await apiOf(running, functions, { roles: ['admin'] })
  const stranger = await apiOf(running, functions, { roles: ['admin'], tenantId: 'another' })
  expect(await viewer('POST', `sync-tasks/${demo.taskId}/run`)).toMatchObject({ status: 403 })
  expect(await viewer('GET', `sync-tasks/${demo.taskId}`)).toMatchObject({ status: 200 })
  expect(await stranger('GET', `sync-tasks/${demo.taskId}`)).toMatchObject({
    status: 404,
    json: { error: { code: 'not_found' } },
  })
  expect((await stranger('GET', 'connections')).json?.data).toEqual([])
  expect(await admin('GET', 'nowhere')).toMatchObject({ status: 404 })
  expect(await admin('DELETE', 'results')).toMatchObject({ status: 405 })
  expect(await admin('GET', 'records')).toMatchObject({
    status: 400,
    json: { error: { code: 'bad_request' } },
  })
  const bad = await admin('POST', 'sync-tasks', {
    body: { connectionId: demo.connectionId, syncMode: 'sideways', schedule: 'whenever' },
  })
  expect(bad.status).toBe(400)
  expect(bad.json?.error?.message).toMatch(/entityType.*syncMode.*schedule/)
  const unauthenticated = await fetch(`${functions.url}/api/v1/sync-tasks`)
  expect(unauthenticated.status).toBe(401)

  const task = {
    connectionId: demo.connectionId,
    entityType: 'change_request',
    syncMode: 'pull',
    schedule: '0 0 * * * *',
  }
  const made = await admin('POST', 'sync-tasks', { body: task })
  expect(made).toMatchObject({
    status: 201,
    json: { data: { entityType: 'change_request', priority: 'normal' } },
  })
  const at = (made.location ?? '').replace('/api/v1/', '')
  expect(await admin('PATCH', at, { etag: made.etag, body: { enabled: false } })).toMatchObject({
    status: 200,
    json: { data: { status: 'disabled' } },
  })
  expect(await admin('POST', `${at}/run`)).toMatchObject({ status: 409 })
  expect(await admin('DELETE', at, { etag: made.etag })).toMatchObject({ status: 409 })
  expect(await admin('DELETE', at)).toMatchObject({ status: 204 })
  expect(await admin('GET', at)).toMatchObject({ status: 404 })
  const page = await viewer('GET', 'sync-tasks?limit=1')
  expect(page).toMatchObject({ status: 200, json: { pagination: { limit: 1 } } })

  const connection = {
    integrationId: 'servicenow',
    label: 'a second one',
    config: { instanceUrl: running.stack.settings['SERVICENOW_URL'] },
    credential: {
      kind: 'refresh_token',
      refreshToken: running.stack.serviceNow.control.issueRefreshToken(),
    },
  }
  const connected = await admin('POST', 'connections', { body: connection })
  expect(connected.status).toBe(201)
  expect(JSON.stringify(connected.json)).not.toContain(connection.credential.refreshToken)
  const connectionAt = (connected.location ?? '').replace('/api/v1/', '')
  expect(
    await admin('POST', `${connectionAt}/test`, { body: { entityType: 'incident' } }),
  ).toMatchObject({ json: { data: { works: true } } })
  expect(
    await admin('POST', `${connectionAt}/test`, { body: { entityType: 'unheard_of' } }),
  ).toMatchObject({ json: { data: { works: false, code: 'unknown_vendor' } } })
  expect(
    await admin('POST', 'connections', { body: { ...connection, integrationId: 'abacus' } }),
  ).toMatchObject({ status: 400 })
  expect(
    await admin('POST', 'connections', {
      body: { ...connection, config: { instanceUrl: 'http://example.com' } },
    }),
  ).toMatchObject({ status: 400 })
  expect((await admin('DELETE', connectionAt)).status).toBe(204)

  const document = z
    .looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) })
    .parse(await (await fetch(`${functions.url}/api/openapi.json`)).json())
  expect(document.openapi).toBe('3.1.0')
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      '/api/v1/records/{id}',
      '/api/v1/conflicts/{id}/resolve',
      '/api/v1/parked/redrive',
    ]),
  )
}, 60_000)
