import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { serveControl } from '../../../infra/local/control-server.ts'
import { readIncidentLog, startServiceNow } from '../../../infra/local/vendors/servicenow.ts'
import { startTwin } from './servicenow-client.ts'

/**
 * Lines in the form of the UCI incident log (Amaral, Fantinato, Peres 2018, DOI 10.24432/C57S4H, CC BY 4.0): the first is
 * its own; the others follow its quirks: ties of a minute, a missing creation, an unknown state, a late regression.
 */
const LOG = `number,incident_state,active,reassignment_count,reopen_count,sys_mod_count,made_sla,caller_id,opened_by,opened_at,sys_created_by,sys_created_at,sys_updated_by,sys_updated_at,contact_type,location,category,subcategory,u_symptom,cmdb_ci,impact,urgency,priority,assignment_group,assigned_to,knowledge,u_priority_confirmation,notify,problem_id,rfc,vendor,caused_by,closed_code,resolved_by,resolved_at,closed_at
INC0000045,New,true,0,0,0,true,Caller 2403,Opened by  8,29/2/2016 01:16,Created by 6,29/2/2016 01:23,Updated by 21,29/2/2016 01:23,Phone,Location 143,Category 55,Subcategory 170,Symptom 72,?,2 - Medium,2 - Medium,3 - Moderate,Group 56,?,true,false,Do Not Notify,?,?,?,?,code 5,Resolved by 149,29/2/2016 11:29,5/3/2016 12:00
INC0000045,Closed,false,0,0,4,true,Caller 2403,Opened by  8,29/2/2016 01:16,Created by 6,29/2/2016 01:23,Updated by 908,5/3/2016 12:00,Phone,Location 143,Category 55,Subcategory 170,Symptom 72,?,2 - Medium,2 - Medium,3 - Moderate,Group 56,?,true,false,Do Not Notify,?,?,?,?,code 5,Resolved by 149,29/2/2016 11:29,5/3/2016 12:00
INC0000047,Awaiting Vendor,true,1,0,3,true,Caller 2403,?,29/2/2016 04:40,?,?,Updated by 21,5/3/2016 12:00,Phone,?,?,?,?,?,1 - High,2 - Medium,2 - High,?,Resolver 17,false,false,Do Not Notify,?,CHG0000097,?,?,?,?,?,10/3/2016 12:00
INC0000047,-100,true,1,0,4,true,Caller 2403,?,29/2/2016 04:40,?,?,Updated by 21,5/3/2016 12:00,Phone,?,?,?,?,?,1 - High,2 - Medium,2 - High,?,Resolver 17,false,false,Do Not Notify,?,CHG0000097,?,?,?,?,?,10/3/2016 12:00
`

async function writeLog(name: string, content: string | Buffer) {
  const folder = await mkdtemp(join(tmpdir(), 'servicenow-log-'))
  const file = join(folder, name)
  await writeFile(file, content)
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

async function readLog() {
  await using written = await writeLog('log.csv', LOG)
  return await readIncidentLog(written.file)
}

test('a log is read packed as it is plain, in the order of its stamps', async () => {
  await using packed = await writeLog('log.csv.gz', gzipSync(LOG))
  const log = await readIncidentLog(packed.file)
  expect(log).toEqual(await readLog())
  expect(log.events.map(([number, state]) => `${number} ${state}`)).toEqual([
    'INC0000045 New',
    'INC0000045 Closed',
    'INC0000047 Awaiting Vendor',
    'INC0000047 -100',
  ])
})

test('the final state is the last line of each incident, in the fields of an instance', async () => {
  const log = await readLog()
  await using twin = await startTwin({ incidents: { log, mode: 'final' } })
  const { rows } = await twin.list('incident', {
    sysparm_exclude_reference_link: 'true',
    sysparm_query: 'ORDERBYnumber',
    sysparm_fields:
      'number,state,hold_reason,priority,impact,caller_id.name,assigned_to.name,assigned_to,opened_by,rfc.number,' +
      'category,close_code,short_description,resolved_at,closed_at,sys_created_on,sys_updated_on,sys_updated_by,sys_mod_count',
  })
  expect(rows).toEqual([
    {
      number: 'INC0000045',
      state: '7',
      hold_reason: '',
      priority: '3',
      impact: '2',
      'caller_id.name': 'Caller 2403',
      'assigned_to.name': '',
      assigned_to: '',
      opened_by: expect.stringMatching(/^[0-9a-f]{32}$/),
      'rfc.number': '',
      category: 'Category 55',
      close_code: 'code 5',
      short_description: 'Category 55 / Subcategory 170: Symptom 72 (INC0000045)',
      resolved_at: '2016-02-29 11:29:00',
      closed_at: '2016-03-05 12:00:00',
      sys_created_on: '2016-02-29 01:23:00',
      sys_updated_on: '2016-03-05 12:00:00',
      sys_updated_by: 'Updated by 908',
      sys_mod_count: '4',
    },
    expect.objectContaining({
      number: 'INC0000047',
      state: '-100',
      'assigned_to.name': 'Resolver 17',
      opened_by: '',
      'rfc.number': 'CHG0000097',
      sys_created_on: '2016-02-29 04:40:00',
      sys_updated_on: '2016-03-05 12:00:00',
    }),
  ])
})

test('a replay goes step by step and ends in the final state', async () => {
  const log = await readLog()
  await using final = await startTwin({ incidents: { log, mode: 'final' } })
  await using twin = await startTwin({ incidents: { log, mode: 'replay' } })
  expect(await twin.numbers('')).toEqual([])
  expect(await twin.control.replay(3)).toBe(3)
  expect(await twin.numbers('state=3^hold_reason=4')).toEqual(['INC0000047'])
  expect(await twin.control.replay(10)).toBe(1)
  expect(twin.control.rows('incident')).toEqual(final.control.rows('incident'))
  expect(await twin.control.replay(10)).toBe(0)
})

test('a replay runs by the clock, can be paused, and tells of changes as they happen', async () => {
  const log = await readLog()
  await using twin = await startTwin({ incidents: { log, mode: 'replay' } })
  const { control } = twin
  control.setWebhook({ url: 'http://127.0.0.1:9/', secret: 's' })
  control.startReplay(0.001)
  control.clock.advance(2_050_000)
  expect(control.inspect()).toMatchObject({
    replay: { applied: 2, events: 4 },
    webhooks: { changes: 2 },
  })
  control.pauseReplay()
  control.clock.advance(2_000_000)
  expect(control.inspect()).toMatchObject({ replay: { applied: 2 } })
})

test('what is made up is the same for the same seed', async () => {
  const numbers = async (seed: number) => {
    await using twin = await startTwin({ count: 50, seed })
    return twin.control
      .rows('incident')
      .map((row) => `${row['short_description']} ${row['assigned_to']}`)
  }
  expect(await numbers(7)).toEqual(await numbers(7))
  expect(await numbers(7)).not.toEqual(await numbers(8))
})

test('the columns of an instance are rows of sys_dictionary, as they are now', async () => {
  await using twin = await startTwin()
  const elements = async () => {
    const { rows } = await twin.list('sys_dictionary', {
      sysparm_query: 'name=incident^elementINcaller_id,u_region,category^ORDERBYelement',
      sysparm_fields: 'element,internal_type,reference',
    })
    return rows.map((row) => Object.values(row).join(' ').trim())
  }
  const before = ['caller_id reference sys_user', 'category string']
  expect(await elements()).toEqual(before)
  twin.control.addColumn('incident', 'u_region')
  expect(await elements()).toEqual([...before, 'u_region string'])
  twin.control.dropColumn('incident', 'category')
  expect(await elements()).toEqual([before[0], 'u_region string'])
})

test('the choices of an instance are rows of sys_choice', async () => {
  await using twin = await startTwin()
  const { rows } = await twin.list('sys_choice', {
    sysparm_query: 'name=incident^element=state^value=3',
    sysparm_fields: 'label',
  })
  expect(rows).toEqual([{ label: 'On Hold' }])
})

test('the control is there for other processes, and refuses what does not fit', async () => {
  await using emulator = await startServiceNow()
  await using channel = await serveControl([emulator])
  const command = async (name: string, body: unknown) => {
    const response = await fetch(`${channel.origin}/servicenow/commands/${name}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    const { answer } = (await response.json()) as { answer?: unknown } // checked below
    return { status: response.status, answer }
  }
  const created = await command('create', { table: 'incident', fields: { category: 'a' } })
  const row = created.answer as { sys_id: string } // checked below
  await command('update', { table: 'incident', sysId: row.sys_id, changes: { category: 'b' } })
  const rows = await command('rows', { table: 'incident' })
  expect(rows.answer).toMatchObject([{ category: 'b', sys_mod_count: '1' }])
  await command('throttle', { kind: 'semaphore' })
  const limited = await fetch(`${emulator.settings['SERVICENOW_URL'] ?? ''}/api/now/table/incident`)
  expect(limited.status).toBe(429)
  expect((await command('set-property', { name: 'nonsense', value: 'x' })).status).toBe(400)
  expect(await command('issue-refresh-token', {})).toEqual({
    status: 200,
    answer: expect.any(String),
  })
})
