import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { demo } from '../../infra/local/demo.ts'
import { seedConnection } from '../../infra/local/seed.ts'
import { apiOf } from './api-client.ts'
import { startRunning } from './running.ts'

const idShape = z.looseObject({ id: z.string() })

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('a table of one tenant is synchronised by its mapping alone', async () => {
  await using running = await startRunning({ serviceNow: { count: 1 } })
  await using functions = await running.startFunctions()
  const admin = await apiOf(running, functions, { roles: ['admin'] })
  const found = async (path: string) =>
    z.array(idShape).parse((await admin('GET', path)).json?.data)
  const { control } = running.stack.serviceNow
  control.addTable('u_gadget', ['u_name', 'u_owner', 'u_size'])
  const gadget = control.create('u_gadget', {
    u_name: 'drill',
    u_owner: 'ada',
    u_size: 'small',
  })
  await seedConnection(running.stack, {
    tenantId: demo.tenantId,
    integrationId: 'servicenow',
    connectionId: 'conn-gadgets',
    credentialId: 'cred-gadgets',
    label: 'gadgets',
    config: {
      instanceUrl: running.stack.settings['SERVICENOW_URL'],
      streams: { gadget: { object: 'u_gadget', markerField: 'u_owner' } },
    },
    secret: { kind: 'refresh_token', refreshToken: control.issueRefreshToken() },
  })
  const made = await admin('POST', 'sync-tasks', {
    body: {
      connectionId: 'conn-gadgets',
      entityType: 'gadget',
      syncMode: 'bidirectional',
      schedule: '0 0 * * * *',
      mapping: {
        entityType: 'gadget',
        fields: [{ local: 'name', external: 'u_name', type: 'text' }],
      },
    },
  })
  expect(made.status).toBe(201)
  const { id } = idShape.parse(made.json?.data)
  expect(await admin('POST', `sync-tasks/${id}/run`)).toMatchObject({ status: 202 })
  await until(async () => (await found('records?entityType=gadget')).length === 1)
  const [record] = await found('records?entityType=gadget')
  expect(record).toMatchObject({ fields: { name: 'drill' } })
  await admin('PATCH', `records/${record?.id}?entityType=gadget`, {
    body: { fields: { name: 'hammer' } },
  })
  await until(async () => control.row('u_gadget', gadget['sys_id'] ?? '')?.['u_name'] === 'hammer')
  await admin('POST', 'records', { body: { entityType: 'gadget', fields: { name: 'saw' } } })
  await until(async () => control.rows('u_gadget').some((row) => row['u_name'] === 'saw'))
  expect(control.rows('u_gadget')).toHaveLength(2)
  // A field that the mapping names only now is read of what is there.
  const fields = [
    { local: 'name', external: 'u_name', type: 'text' },
    { local: 'size', external: 'u_size', type: 'text' },
  ]
  await admin('PATCH', `sync-tasks/${id}`, { body: { mapping: { entityType: 'gadget', fields } } })
  const run = (fromStart: string) => admin('POST', `sync-tasks/${id}/run?fromStart=${fromStart}`)
  expect(await run('perhaps')).toMatchObject({ status: 400 })
  expect(await run('true')).toMatchObject({ status: 202 })
  const isSmall = (one: Readonly<Record<string, unknown>>) =>
    JSON.stringify(one['fields']).includes('"size":"small"')
  await until(async () => (await found('records?entityType=gadget')).some(isSmall))
}, 60_000)
