import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { demo } from '../../infra/local/demo.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { storeDocument } from '../../infra/local/seed.ts'
import { describeOperations } from '../../src/functions/management-api.ts'
import { apiOf } from './api-client.ts'
import { fireTimer, startRunning, type Running } from './running.ts'

let running: Running
let functions: FunctionsProcess
let admin: Awaited<ReturnType<typeof apiOf>>
let stranger: typeof admin

beforeAll(async () => {
  running = await startRunning({
    serviceNow: { count: 3 },
    salesforce: { count: 3 },
    github: { count: 3 },
  })
  functions = await running.startFunctions()
  admin = await apiOf(running, functions, { roles: ['admin'] })
  stranger = await apiOf(running, functions, { roles: ['admin'], tenantId: 'another' })
}, 60_000)

afterAll(async () => {
  await functions?.[Symbol.asyncDispose]()
  await running?.[Symbol.asyncDispose]()
})

const documentShape = z.looseObject({ info: z.looseObject({ version: z.string() }) })
const idShape = z.looseObject({ id: z.string() })
const found = async (path: string) => z.array(idShape).parse((await admin('GET', path)).json?.data)

async function connect(integrationId: string, more: object) {
  const answer = await admin('POST', 'connections', {
    body: { integrationId, label: integrationId, ...more },
  })
  return { ...answer, id: idShape.parse(answer.json?.data).id }
}

const salesforceParts = () => ({
  config: { instanceUrl: running.stack.settings['SALESFORCE_URL'] },
  credential: {
    kind: 'refresh_token',
    refreshToken: running.stack.salesforce?.control.issueRefreshToken(),
  },
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('the document that is served is the one that was checked, and needs no token', async () => {
  const response = await fetch(`${functions.url}/api/openapi.json`)
  const { info, ...served } = documentShape.parse(await response.json())
  const { info: _info, ...checked } = documentShape.parse(describeOperations(info.version))
  expect(response.headers.get('content-type')).toContain('application/json')
  expect(served).toEqual(checked)
})

describe('what everybody is told', () => {
  const operations = Object.entries(
    z.looseObject({ paths: z.record(z.string(), z.looseObject({})) }).parse(describeOperations(''))
      .paths,
  ).flatMap(([path, methods]) => Object.keys(methods).map((method) => [method, path] as const))
  const filled = (path: string) => path.replace('/api/v1/', '').replaceAll(/\{\w+\}/g, 'nobody')

  test('no operation is done without a token, or for a role that nobody knows', async () => {
    const nobody = await apiOf(running, functions, { roles: ['guest'] })
    for (const [method, path] of operations) {
      const upper = method.toUpperCase()
      const bare = await fetch(`${functions.url}/api/v1/${filled(path)}`, { method: upper })
      expect([path, bare.status, bare.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer',
      ])
      expect([path, (await nobody(upper, filled(path))).status]).toEqual([path, 403])
    }
  })

  test('a viewer changes nothing, and an operator no settings', async () => {
    const viewer = await apiOf(running, functions, { roles: ['viewer'] })
    const operator = await apiOf(running, functions, { roles: ['operator'] })
    for (const [method, path] of operations.filter(([one]) => one !== 'get')) {
      const status = (await viewer(method.toUpperCase(), filled(path))).status
      expect([method, path, status]).toEqual([method, path, 403])
    }
    for (const path of ['connections', 'sync-tasks', 'webhook-registrations']) {
      expect([path, (await operator('POST', path, { body: {} })).status]).toEqual([path, 403])
      expect([path, (await operator('GET', path)).status]).toEqual([path, 200])
    }
  })

  test('what belongs to another tenant is not there', async () => {
    const one = await connect('salesforce', salesforceParts())
    const others = [
      ['GET', `connections/${one.id}`],
      ['PATCH', `connections/${one.id}`],
      ['DELETE', `connections/${one.id}`],
      ['POST', `connections/${one.id}/test`],
      ['GET', `connections/${one.id}/fields?entityType=incident`],
      ['GET', `sync-tasks/${demo.taskId}`],
      ['POST', `sync-tasks/${demo.taskId}/run`],
      ['GET', `webhook-registrations/${demo.registrationId}`],
    ] as const
    for (const [method, path] of others) {
      const body = method === 'PATCH' ? { label: 'mine' } : undefined
      expect([path, (await stranger(method, path, { body })).status]).toEqual([path, 404])
    }
    for (const path of [
      'connections',
      'sync-tasks',
      'webhook-registrations',
      'deliveries',
      'results',
      'parked',
      'conflicts',
    ]) {
      expect([path, (await stranger('GET', path)).json?.data]).toEqual([path, []])
    }
    const own = {
      connectionId: one.id,
      entityType: 'incident',
      syncMode: 'pull',
      schedule: '0 0 * * * *',
    }
    expect(await stranger('POST', 'sync-tasks', { body: own })).toMatchObject({ status: 404 })
    expect((await admin('GET', `connections/${one.id}`)).status).toBe(200)
  })

  test('what is malformed is named, and changes nothing', async () => {
    const bad = await admin('POST', 'connections', { body: { integrationId: 7, config: {} } })
    expect(bad).toMatchObject({ status: 400, json: { error: { code: 'bad_request' } } })
    const details = bad.json?.error?.details ?? []
    expect(details.map((line) => line.split(':')[0])).toEqual([
      'integrationId',
      'label',
      'config.instanceUrl',
      'credential',
    ])
    const rows: [string, string, string | undefined, number][] = [
      ['POST', 'connections', '{"', 400],
      ['POST', 'connections', '', 400],
      ['POST', 'connections', '[]', 400],
      ['GET', 'connections/%E0%A4%A', undefined, 400],
      ['GET', 'connections?limit=0', undefined, 400],
      ['GET', 'connections?limit=x', undefined, 400],
      ['GET', 'records', undefined, 400],
      ['GET', 'records?entityType=incident&connectionId=x', undefined, 400],
      ['GET', 'nothing/here', undefined, 404],
      ['PATCH', 'results', '{}', 405],
      [
        'POST',
        'records',
        `{"entityType":"incident","fields":{"a":"${'x'.repeat(1024 * 1024)}"}}`,
        413,
      ],
    ]
    for (const [method, path, body, status] of rows) {
      const answer = await admin(method, path, { body })
      expect([method, path, answer.status]).toEqual([method, path, status])
      expect(answer.json?.success).toBe(false)
    }
  })

  test('lists come page by page, each entry once', async () => {
    const seen: string[] = []
    for (let cursor = ''; ;) {
      const page = await admin('GET', `connections?limit=1&cursor=${cursor}`)
      seen.push(
        ...z
          .array(idShape)
          .parse(page.json?.data)
          .map(({ id }) => id),
      )
      const next = page.json?.pagination?.nextCursor
      if (next === undefined) break
      cursor = next
    }
    expect(seen).toEqual((await found('connections')).map(({ id }) => id).sort())
    expect(seen.length).toBeGreaterThan(1)
  })

  test('a change is made to what was read: a stale tag is refused, a star is any', async () => {
    const one = await connect('salesforce', salesforceParts())
    const at = `connections/${one.id}`
    const changed = await admin('PATCH', at, { etag: one.etag, body: { label: 'second' } })
    expect(changed).toMatchObject({ status: 200, json: { data: { label: 'second' } } })
    expect(changed.etag).not.toBe(one.etag)
    const stale = await admin('PATCH', at, { etag: one.etag, body: { label: 'third' } })
    expect(stale).toMatchObject({ status: 409, json: { error: { code: 'conflict' } } })
    expect(await admin('PATCH', at, { etag: '*', body: { label: 'fourth' } })).toMatchObject({
      status: 200,
    })
    expect(await admin('DELETE', at, { etag: one.etag })).toMatchObject({ status: 409 })
    expect(await admin('GET', at)).toMatchObject({ json: { data: { label: 'fourth' } } })
    expect((await admin('GET', at)).headers.get('cache-control')).toBe('no-store')
  })
})

describe('connections', () => {
  test('who removes one ends its tasks here and its token at the vendor', async () => {
    const { control } = running.stack.salesforce ?? {}
    if (!control) throw new Error('there is no Salesforce')
    const refreshToken = control.issueRefreshToken()
    const { SALESFORCE_URL, SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET } =
      running.stack.settings
    const refresh = async () =>
      fetch(`${SALESFORCE_URL}/services/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: refreshToken,
          client_id: SALESFORCE_CLIENT_ID ?? '',
          client_secret: SALESFORCE_CLIENT_SECRET ?? '',
        }),
      })
    const one = await connect('salesforce', {
      ...salesforceParts(),
      credential: { kind: 'refresh_token', refreshToken },
    })
    expect(one.status).toBe(201)
    expect((await refresh()).status).toBe(200)
    const task = await admin('POST', 'sync-tasks', {
      body: {
        connectionId: one.id,
        entityType: 'incident',
        syncMode: 'pull',
        schedule: '0 0 * * * *',
      },
    })
    const taskId = idShape.parse(task.json?.data).id
    // The vendor is away: it is told that nothing was removed, and can be asked again.
    control.fail({ operation: '/services/oauth2/revoke', status: 503 })
    expect(await admin('DELETE', `connections/${one.id}`)).toMatchObject({
      status: 502,
      json: { error: { code: 'vendor_failed' } },
    })
    expect((await admin('GET', `connections/${one.id}`)).status).toBe(200)
    expect((await admin('DELETE', `connections/${one.id}`)).status).toBe(204)
    expect((await refresh()).status).toBe(400)
    expect((await admin('GET', `connections/${one.id}`)).status).toBe(404)
    expect(await admin('GET', `sync-tasks/${taskId}`)).toMatchObject({
      json: { data: { enabled: false, status: 'disabled' } },
    })
    expect((await admin('POST', `sync-tasks/${taskId}/run`)).status).toBe(409)
  })

  test('who writes a mapping sees the fields of the vendor', async () => {
    const salesforce = await connect('salesforce', salesforceParts())
    const github = await connect('github', {
      config: {
        instanceUrl: running.stack.settings['GITHUB_URL'],
        streams: { incident: { object: 'octo/hello' } },
      },
      credential: {
        kind: 'api_key',
        header: 'authorization',
        key: `Bearer ${running.stack.github?.control.issueAccessToken()}`,
      },
    })
    const { control } = running.stack.serviceNow
    control.addTable('u_asset', ['u_name', 'u_owner'])
    const fields = async (id: string, query: string) =>
      (await admin('GET', `connections/${id}/fields?${query}`)).json
    expect(await fields(demo.connectionId, 'entityType=incident')).toMatchObject({
      data: {
        object: 'incident',
        from: 'description',
        fields: expect.arrayContaining([
          expect.objectContaining({ name: 'caller_id', references: ['sys_user'] }),
        ]),
      },
    })
    expect(await fields(demo.connectionId, 'entityType=asset&object=u_asset')).toMatchObject({
      data: { fields: expect.arrayContaining([expect.objectContaining({ name: 'u_owner' })]) },
    })
    expect(await fields(salesforce.id, 'entityType=incident')).toMatchObject({
      data: { object: 'Case' },
    })
    expect(await fields(github.id, 'entityType=incident')).toMatchObject({
      data: {
        object: 'octo/hello',
        fields: expect.arrayContaining([
          expect.objectContaining({ name: 'title', required: true }),
        ]),
      },
    })
    const at = `connections/${demo.connectionId}/fields`
    expect(await admin('GET', at)).toMatchObject({ status: 400 })
    expect(await admin('GET', `${at}?entityType=x&object=a/../b`)).toMatchObject({
      status: 400,
      json: { error: { code: 'unknown_vendor' } },
    })
  })

  test('a test says what does not fit between a mapping and the fields that are there', async () => {
    const field = (external: string, type = 'text') => ({ local: external, external, type })
    const fields = [
      field('short_description'),
      field('u_gone'),
      field('sys_updated_on', 'instant'),
      field('opened_at', 'boolean'),
      field('caller_id.email'),
    ]
    const mapping = { entityType: 'incident', fields }
    const at = `connections/${demo.connectionId}/test`
    expect(await admin('POST', at, { body: { entityType: 'incident', mapping } })).toMatchObject({
      json: {
        data: {
          works: true,
          rows: 1,
          problems: [
            'u_gone is not a field of incident',
            'sys_updated_on cannot be written',
            'opened_at is mapped as boolean and is instant (glide_date_time)',
          ],
        },
      },
    })
    expect(await admin('POST', at)).toMatchObject({ json: { data: { works: true, problems: [] } } })
  })
})

describe('records and conflicts', () => {
  test('a record is found by the id that a system has for it, and a conflict by its own', async () => {
    await fireTimer(running, functions, 'SyncScheduler')
    await until(async () => (await found('records?entityType=incident')).length === 3)
    const sysId = running.stack.serviceNow.control.rows('incident')[0]?.['sys_id'] ?? ''
    const path = `records?entityType=incident&externalId=${sysId}`
    const [record, ...more] = await found(path)
    expect(more).toEqual([])
    expect(await found(`${path}&connectionId=${demo.connectionId}`)).toMatchObject([
      { id: record?.id },
    ])
    expect(await found(`${path}&connectionId=another`)).toEqual([])
    expect(await found('records?entityType=incident&externalId=nobody')).toEqual([])

    const conflict = (id: string, entityType: string) => ({
      id,
      kind: 'conflict',
      tenantId: demo.tenantId,
      entityType,
      recordId: record?.id,
      connectionId: demo.connectionId,
      field: 'description',
      reason: 'both_changed',
      status: 'open',
      strategy: 'manual',
      base: 'a',
      local: 'b',
      external: 'c',
      createdAt: '2026-03-01T10:00:00.000Z',
      updatedAt: '2026-03-01T10:00:00.000Z',
    })
    await storeDocument(running.stack, 'shards', conflict('conflict-1', 'incident'))
    await storeDocument(running.stack, 'shards', conflict('conflict-2', 'change'))
    expect((await found('conflicts')).map(({ id }) => id)).toEqual(['conflict-1', 'conflict-2'])
    const first = await admin('GET', 'conflicts?limit=1')
    expect(first.json?.pagination?.nextCursor).toBe('conflict-1')
    expect((await found('conflicts?limit=1&cursor=conflict-1')).map(({ id }) => id)).toEqual([
      'conflict-2',
    ])
    expect((await found('conflicts?entityType=change')).map(({ id }) => id)).toEqual(['conflict-2'])
    expect(await admin('GET', 'conflicts/conflict-2')).toMatchObject({
      status: 200,
      json: { data: { base: 'a', local: 'b', external: 'c' } },
    })
    expect((await stranger('GET', 'conflicts')).json?.data).toEqual([])
    expect(await stranger('GET', 'conflicts/conflict-2')).toMatchObject({ status: 404 })
    const choice = { choice: 'external' }
    expect(await stranger('POST', 'conflicts/conflict-1/resolve', { body: choice })).toMatchObject({
      status: 404,
    })
    // The record never was in such a conflict.
    expect((await admin('POST', 'conflicts/conflict-1/resolve', { body: choice })).status).toBe(409)
  })
})
