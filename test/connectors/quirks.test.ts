import { describe, expect, test } from 'vitest'
import { github } from '../../src/connectors/github/index.ts'
import { salesforce } from '../../src/connectors/salesforce/index.ts'
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import type { DeletedPage, VendorRow, VendorWrite } from '../../src/connectors/connector.ts'
import { readAll, signal, type Rig } from './rig.ts'
import { gitHubRig, salesforceRig, serviceNowRig } from './rigs.ts'

const write = (rig: Rig, writes: readonly VendorWrite[]) =>
  rig.stream.push?.write(rig.client, writes, signal)
const create = (marker: string, values: VendorWrite['values']): VendorWrite => ({
  operation: 'create',
  marker,
  values,
})
const kinds = (outcomes: readonly { kind: string }[] | undefined) =>
  Object.entries(Object.groupBy(outcomes ?? [], ({ kind }) => kind)).map(
    ([kind, some]) => `${some?.length} ${kind}`,
  )

const caseRig = () => salesforceRig('incident', 'Case', 'Subject')
const incidentRig = () =>
  serviceNowRig({
    config: { entityType: 'incident' },
    table: 'incident',
    field: 'short_description',
  })

describe('ServiceNow', () => {
  test('what a batch had no time for is to be sent again, and nothing else', async () => {
    await using rig = await incidentRig()
    rig.control.limitBatch(3)
    const writes = [1, 2, 3, 4, 5].map((at) => create(`rec-${at}`, { short_description: `${at}` }))
    const outcomes = await write(rig, writes)
    expect(outcomes?.map(({ kind }) => kind)).toEqual(['done', 'done', 'done', 'retry', 'retry'])
    expect(rig.rows().size).toBe(3)
  })

  test('a column that takes no marker is not searched: the instance would answer with the whole table', async () => {
    await using rig = await incidentRig()
    rig.create('one')
    rig.control.dropColumn('incident', 'correlation_id')
    expect(await rig.stream.push?.findByMarker(rig.client, ['rec-1'], signal)).toMatchObject({
      kind: 'refused',
      code: 'vendor_ignored_filter',
    })
  })

  test.for(['a^ORshort_descriptionISNOTEMPTY', 'a,b', '', 'ä'])(
    'the marker %j gets into no query',
    async (marker) => {
      await using rig = await incidentRig()
      expect(await rig.stream.push?.findByMarker(rig.client, [marker], signal)).toMatchObject({
        kind: 'refused',
        code: 'bad_request',
      })
    },
  )

  test('values go out as the texts of the instance: UTC stamps, true, nothing', async () => {
    await using rig = await incidentRig()
    const values = {
      short_description: 'x',
      active: false,
      impact: 2,
      resolved_at: '2026-03-01T10:00:00.000Z',
      category: null,
    }
    const [outcome] = (await write(rig, [create('rec-1', values)])) ?? []
    expect(outcome).toMatchObject({
      kind: 'done',
      values: { active: 'false', impact: '2', resolved_at: '2026-03-01 10:00:00', category: '' },
    })
  })

  test('a record that is hidden is not told to be gone when it is written to', async () => {
    await using rig = await incidentRig()
    const id = rig.create('one')
    rig.hide(id)
    const change = {
      operation: 'update',
      externalId: id,
      marker: 'x',
      values: { state: '2' },
    } as const
    expect(await write(rig, [change])).toMatchObject([{ kind: 'rejected' }])
  })

  test('a record that is missing while the log of deletions cannot be asked is tried again', async () => {
    await using rig = await incidentRig()
    const id = rig.create('one')
    rig.remove(id)
    const log = { operation: 'sys_audit_delete', status: 503 } as const
    const change = { operation: 'update', externalId: id, marker: 'x', values: {} } as const
    rig.control.fail(log)
    expect(await write(rig, [change])).toMatchObject([{ kind: 'retry' }])
    rig.control.fail(log)
    expect(await rig.stream.push?.fetchOne(rig.client, id, signal)).toMatchObject({ kind: 'retry' })
    expect(await write(rig, [change])).toEqual([{ kind: 'gone' }])
  })

  test('deletions come page by page with ties in one second, and only those of the table', async () => {
    await using rig = await incidentRig()
    const ids = [1, 2, 3, 4, 5, 6, 7].map((at) => rig.create(`${at}`))
    rig.control.remove('problem', rig.control.create('problem', {})['sys_id'] ?? '')
    for (const id of ids) rig.remove(id)
    const found: string[] = []
    for (let since: { time: string; id: string } | null = null, more = true; more;) {
      const page: DeletedPage | undefined = await rig.stream.fetchDeleted?.(
        rig.client,
        { since, limit: 2 },
        signal,
      )
      if (page?.kind !== 'page') throw new Error('no page came')
      found.push(...page.rows.map(({ externalId }) => externalId))
      const last = page.rows.at(-1)
      since = last ? { time: last.time, id: last.externalId } : since
      more = page.more
    }
    expect(found.sort()).toEqual([...ids].sort())
  })

  test('a table is any whose name is one, with fields that are known or configured', () => {
    const fields = [{ local: 'a', external: 'u_a', type: 'text' }] as const
    expect(servicenow.configure({ entityType: 'u_thing', fields })?.entityType).toBe('u_thing')
    expect(servicenow.configure({ entityType: 'u_thing' })).toBeUndefined()
    expect(servicenow.configure({ entityType: 'constructor' })).toBeUndefined()
    expect(servicenow.configure({ entityType: 'x', object: 'a/../b', fields })).toBeUndefined()
    expect(servicenow.configure({ entityType: 'contact' })?.push?.marker).toBe('none')
    const ids = servicenow.configure({ entityType: 'incident', deletions: 'ids' })
    expect([ids?.fetchDeleted, typeof ids?.fetchIds]).toEqual([undefined, 'function'])
  })
})

describe('Salesforce', () => {
  test('S36: of 200 rows each is answered for itself', async () => {
    await using rig = await caseRig()
    rig.control.create('Case', { Subject: 'taken', Syncline_Id__c: 'rec-taken' })
    rig.control.rejectWrites('UNABLE_TO_LOCK_ROW', 15)
    rig.control.rejectWrites('FIELD_CUSTOM_VALIDATION_EXCEPTION', 30)
    rig.control.rejectWrites('DUPLICATE_VALUE', 3)
    rig.control.rejectWrites('UNKNOWN_EXCEPTION', 2)
    const writes = Array.from({ length: 200 }, (_, at) => create(`rec-${at}`, { Subject: `${at}` }))
    const outcomes = await write(rig, writes)
    expect(kinds(outcomes)).toEqual(['15 retry', '30 rejected', '5 unknown', '150 done'])
    expect(rig.rows().size).toBe(151)
    // Those that were not done are sent again, and each is there once.
    const rest = writes.filter((_, at) => outcomes?.[at]?.kind !== 'done')
    expect(kinds(await write(rig, rest))).toEqual(['50 done'])
    expect(rig.rows().size).toBe(201)
  })

  test('a create that was done already is done again to the same record', async () => {
    await using rig = await caseRig()
    const [first] = (await write(rig, [create('rec-1', { Subject: 'one' })])) ?? []
    const [again] = (await write(rig, [create('rec-1', { Subject: 'one' })])) ?? []
    expect(again).toEqual(first)
    expect(rig.rows().size).toBe(1)
  })

  test('many guarded changes are compared by one look, and the stale ones are left alone', async () => {
    await using rig = await caseRig()
    const ids = Array.from({ length: 40 }, (_, at) => rig.create(`${at}`))
    const rows = await readAll(rig, { limit: 100 })
    rig.control.clock.advance(2_000)
    for (const id of ids.slice(0, 4)) rig.edit(id, 'changed by people')
    rig.control.resetCalls()
    const outcomes = await write(
      rig,
      rows.map(({ externalId, version }) => ({
        operation: 'update',
        externalId,
        marker: 'x',
        values: { Subject: 'ours' },
        expected: version,
      })),
    )
    expect(kinds(outcomes).sort()).toEqual(['36 done', '4 conflict'])
    expect(Object.values(rig.control.calls()).reduce((sum, calls) => sum + calls, 0)).toBe(2)
    expect([...rig.rows().values()].filter((text) => text === 'ours')).toHaveLength(36)
  })

  test('an organisation that moves takes the calls with it after the next refresh', async () => {
    await using rig = await caseRig()
    rig.create('one')
    await readAll(rig, { limit: 10 })
    await rig.control.moveInstance()
    expect(await readAll(rig, { limit: 10 })).toHaveLength(1)
    expect(rig.tokens()).toBe(2)
  })

  test('an organisation without the field for markers is read all the same', async () => {
    await using rig = await caseRig()
    rig.create('one')
    rig.control.dropField('Case', 'Syncline_Id__c')
    expect(await readAll(rig, { limit: 10 })).toHaveLength(1)
    expect(await write(rig, [create('rec-1', { Subject: 'x' })])).toMatchObject([
      { kind: 'rejected' },
    ])
  })

  test('totals that lie and pages smaller than asked for lose no row', async () => {
    await using rig = await caseRig()
    for (let at = 0; at < 30; at += 1) rig.create(`${at}`)
    rig.control.lieAboutTotals(-29)
    rig.control.setBatchSize(4)
    expect(await readAll(rig, { limit: 10 })).toHaveLength(30)
  })

  test('a record in the recycle bin is a row that says so; one that was purged is gone', async () => {
    await using rig = await caseRig()
    const [binned, purged] = [rig.create('binned'), rig.create('purged')]
    rig.remove(binned)
    rig.remove(purged)
    rig.control.purge('Case', purged)
    expect(await readAll(rig, { limit: 10 })).toMatchObject([{ externalId: binned, deleted: true }])
    const look = (id: string) => rig.stream.push?.fetchOne(rig.client, id, signal)
    expect([await look(binned), await look(purged)]).toEqual([{ kind: 'gone' }, { kind: 'gone' }])
    rig.control.restore('Case', binned)
    expect(await look(binned.slice(0, 15))).toMatchObject({
      kind: 'row',
      row: { externalId: binned },
    })
  })

  test('a marker with a quote gets no further than its text', async () => {
    await using rig = await caseRig()
    rig.create('one')
    const marker = "x' OR Id != '"
    expect(await rig.stream.push?.findByMarker(rig.client, [marker], signal)).toEqual({
      kind: 'found',
      rows: new Map(),
    })
  })

  test.for(['Case; DROP', 'Case WHERE Id', 'a b', "x'"])('%j is no object and no field', (name) => {
    const fields = [{ local: 'a', external: name, type: 'text' }] as const
    expect(salesforce.configure({ entityType: 'x', object: name, fields: [] })).toBeUndefined()
    expect(salesforce.configure({ entityType: 'x', object: 'Case', fields })).toBeUndefined()
    expect(salesforce.configure({ entityType: 'incident', markerField: name })).toBeUndefined()
  })
})

/** The issue that stands first in the list: when it moves, all others do. */
async function firstOf({ client }: Rig): Promise<string> {
  const query = { sort: 'updated', direction: 'asc', state: 'all' }
  const path = '/repos/octo/hello/issues'
  const answer = await client.call({ method: 'GET', path, query }, signal)
  const list = answer.kind === 'answer' ? (answer.body as { number: number }[]) : [] // the twin's list
  return String(list[0]?.number)
}

describe('GitHub', () => {
  test('S26: more issues than a page holds, all of one second, arrive in their order', async () => {
    await using rig = await gitHubRig()
    for (let at = 0; at < 130; at += 1) rig.create(`${at}`)
    const read = await readAll(rig, { limit: 60 })
    expect(read.map(({ externalId }) => externalId)).toEqual([...rig.rows().keys()])
  })

  test('S25: a second that a page cuts in two is left to the next page', async () => {
    await using rig = await gitHubRig()
    for (let at = 0; at < 60; at += 1) rig.control.open({ title: `${at}` })
    rig.control.clock.advance(1_000)
    for (let at = 0; at < 60; at += 1) rig.control.open({ title: `${at}` })
    const read = await readAll(rig, { limit: 500 })
    expect(read.map(({ externalId }) => externalId)).toEqual([...rig.rows().keys()])
  })

  test('S29: a list that moves between its pages is read again', async () => {
    await using rig = await gitHubRig()
    for (let at = 0; at < 130; at += 1) rig.control.open({ title: `${at}` })
    const first = await firstOf(rig)
    const calls: string[] = []
    const moving = {
      ...rig.client,
      call: (...[call, stop]: Parameters<typeof rig.client.call>) => {
        calls.push(call.query?.['page'] ?? '')
        if (calls.length === 2) {
          rig.control.clock.advance(1_000)
          rig.edit(first, 'moved to the end')
        }
        return rig.client.call(call, stop)
      },
    }
    const page = await rig.stream.fetchPage(moving, { after: null, skip: 0, limit: 500 }, signal)
    const ids = page.kind === 'page' ? page.rows.map(({ externalId }) => externalId) : []
    const rest = [...rig.rows().keys()].filter((id) => id !== first)
    expect(ids.filter((id) => id !== first)).toEqual(rest)
  })

  test('the second look at pages that did not move costs nothing of the quota', async () => {
    await using rig = await gitHubRig()
    for (let at = 0; at < 60; at += 1) rig.create(`${at}`)
    const used = () => Number(rig.control.parts.limits.headers()['x-ratelimit-used'])
    await rig.stream.fetchPage(rig.client, { after: null, skip: 0, limit: 10 }, signal)
    expect(used()).toBe(2)
  })

  test('an issue that we delete is closed, is told as deleted, and comes back when it is opened', async () => {
    await using rig = await gitHubRig()
    const id = rig.create('one')
    rig.control.edit(Number(id), { body: 'words' })
    const deletion = { operation: 'delete', externalId: id, marker: 'x', values: {} } as const
    expect(await write(rig, [deletion])).toMatchObject([{ kind: 'done', externalId: id }])
    expect(rig.control.repository().find(Number(id))).toMatchObject({
      state: 'closed',
      state_reason: 'not_planned',
    })
    expect(await readAll(rig, { limit: 10 })).toMatchObject([
      { deleted: true, values: { body: 'words' } },
    ])
    rig.control.edit(Number(id), { state: 'open' })
    const [row] = await readAll(rig, { limit: 10 })
    expect([row?.deleted, row?.values['body']]).toEqual([undefined, 'words'])
    // Opened by us, it loses the sign for good.
    await write(rig, [deletion, { ...deletion, operation: 'update', values: { state: 'open' } }])
    expect(rig.control.repository().find(Number(id))?.body).toBe('words')
  })

  test('the marker stays when the text is changed by us, and is no part of the text', async () => {
    await using rig = await gitHubRig()
    const [made] =
      (await write(rig, [create('rec-1', { title: 't', body: 'old', state: 'closed' })])) ?? []
    const externalId = made?.kind === 'done' ? made.externalId : ''
    expect(made).toMatchObject({ values: { body: 'old', state: 'closed' } })
    const change = {
      operation: 'update',
      externalId,
      marker: 'other',
      values: { body: 'new' },
    } as const
    expect(await write(rig, [change])).toMatchObject([{ kind: 'done', values: { body: 'new' } }])
    expect(rig.control.repository().find(Number(externalId))?.body).toBe(
      'new\n\n<!-- syncline:rec-1 -->',
    )
    const found = await rig.stream.push?.findByMarker(rig.client, ['rec-1', 'other'], signal)
    expect(found?.kind === 'found' && [...found.rows.keys()]).toEqual(['rec-1'])
  })

  test('markers are looked for among new issues only, once the old ones were read', async () => {
    await using rig = await gitHubRig()
    for (let at = 0; at < 330; at += 1) rig.control.open({ title: `${at}` })
    const find = async (...markers: string[]) => {
      rig.control.resetCalls()
      const found = await rig.stream.push?.findByMarker(rig.client, markers, signal)
      const calls = Object.values(rig.control.calls()).reduce((sum, one) => sum + one, 0)
      return { calls, rows: found?.kind === 'found' ? found.rows : new Map<string, VendorRow>() }
    }
    expect((await find('rec-1')).calls).toBe(5)
    const [made] = (await write(rig, [create('rec-1', { title: 'first' })])) ?? []
    const externalId = made?.kind === 'done' ? made.externalId : ''
    const found = await find('rec-1', 'rec-2')
    expect([found.calls, found.rows.get('rec-1')?.externalId]).toEqual([2, externalId])
    // One that stands far back is told as it is now, and not as it was when it was seen.
    for (let at = 0; at < 330; at += 1) rig.control.open({ title: `more ${at}` })
    await find('rec-2')
    rig.edit(externalId, 'edited since')
    const again = await find('rec-1')
    expect(again.rows.get('rec-1')?.values['title']).toBe('edited since')
    rig.remove(externalId)
    expect([...(await find('rec-1')).rows.keys()]).toEqual([])
  })

  test('issues that were switched off are hidden, not gone', async () => {
    await using rig = await gitHubRig()
    const id = rig.create('one')
    rig.control.switchIssues(false)
    expect(await rig.stream.push?.fetchOne(rig.client, id, signal)).toEqual({ kind: 'hidden' })
  })

  test('who is told to wait asks no more in that call', async () => {
    await using rig = await gitHubRig()
    await readAll(rig, { limit: 10 })
    rig.control.resetCalls()
    rig.control.throttle('secondary')
    const writes = ['a', 'b', 'c'].map((marker) => create(marker, { title: marker }))
    expect(kinds(await write(rig, writes))).toEqual(['3 retry'])
    expect(rig.control.calls()).toEqual({ 'POST /repos/{repository}/issues': 1 })
  })

  test('a repository is owner and name', () => {
    expect(github.configure({ entityType: 'incident' })).toBeUndefined()
    expect(github.configure({ entityType: 'incident', object: 'a/b/../c' })).toBeUndefined()
    expect(github.configure({ entityType: 'incident', object: '../x' })).toBeUndefined()
    expect(github.configure({ entityType: 'incident', object: 'octo/hello.js' })).toBeDefined()
  })
})
