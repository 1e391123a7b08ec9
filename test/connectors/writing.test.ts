import { describe, expect, test } from 'vitest'
import type {
  PushAbilities,
  VendorWrite,
  Version,
  WriteOutcome,
} from '../../src/connectors/connector.ts'
import { latest, readAll, signal, type Rig } from './rig.ts'
import { rigs } from './rigs.ts'

const create = (rig: Rig, marker: string, text = marker): VendorWrite => ({
  operation: 'create',
  marker,
  values: { [rig.field]: text },
})

const update = (rig: Rig, externalId: string, text: string): VendorWrite => ({
  operation: 'update',
  marker: 'unused',
  externalId,
  values: { [rig.field]: text },
})

function pushOf({ stream: { push } }: Rig): PushAbilities {
  if (!push) throw new Error('it cannot write')
  return push
}

const write = (rig: Rig, writes: readonly VendorWrite[]) =>
  pushOf(rig).write(rig.client, writes, signal)

async function done(rig: Rig, one: VendorWrite): Promise<Extract<WriteOutcome, { kind: 'done' }>> {
  const [outcome] = await write(rig, [one])
  if (outcome?.kind !== 'done') throw new Error(JSON.stringify(outcome))
  return outcome
}

async function versionOf(rig: Rig, id: string): Promise<Version> {
  const found = await pushOf(rig).fetchOne(rig.client, id, signal)
  if (found.kind !== 'row') throw new Error(found.kind)
  return found.row.version
}

const PAGE = { 'content-type': 'text/html' }

describe.each(rigs)('%s', (_, start) => {
  test('creates, changes and deletes of one call are done, and answered in their order', async () => {
    await using rig = await start()
    const [kept, dropped] = [rig.create('kept'), rig.create('dropped')]
    const outcomes = await write(rig, [
      update(rig, kept, 'changed'),
      create(rig, 'rec-1'),
      { operation: 'delete', externalId: dropped, marker: 'unused', values: {} },
      create(rig, 'rec-2'),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done', 'done'])
    const ids = outcomes.map((one) => (one.kind === 'done' ? one.externalId : ''))
    expect([ids[0], ids[2]]).toEqual([kept, dropped])
    const rows = rig.rows()
    expect([kept, ids[1] ?? '', ids[3] ?? ''].map((id) => rows.get(id))).toEqual([
      'changed',
      'rec-1',
      'rec-2',
    ])
    expect(await pushOf(rig).fetchOne(rig.client, dropped, signal)).toEqual({ kind: 'gone' })
    expect([...latest(await readAll(rig, { limit: 100 }), rig.field).keys()]).not.toContain(dropped)
  })

  test('S37: a create whose answer was lost is found by its marker, and is not there twice', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 10 })
    const count = rig.rows().size
    rig.control.fail({ operation: rig.writes, connection: 'lose-answer' })
    expect(await write(rig, [create(rig, 'rec-lost')])).toMatchObject([{ kind: 'unknown' }])
    const found = await pushOf(rig).findByMarker(rig.client, ['rec-lost', 'rec-never'], signal)
    const rows = found.kind === 'found' ? [...found.rows] : []
    const known = pushOf(rig).marker === 'none' ? [] : ['rec-lost']
    expect(rows.map(([marker, { values }]) => [marker, values[rig.field]])).toEqual(
      known.map((marker) => [marker, marker]),
    )
    expect(rig.rows().size).toBe(count + 1)
  })

  test('a create that reached nobody leaves nothing behind its marker', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 10 })
    rig.control.fail({ operation: rig.writes, connection: 'drop' })
    expect(await write(rig, [create(rig, 'rec-1')])).toMatchObject([{ kind: 'unknown' }])
    expect(await pushOf(rig).findByMarker(rig.client, ['rec-1'], signal)).toEqual({
      kind: 'found',
      rows: new Map(),
    })
  })

  test('the row that we made carries its marker when it comes back, and not in its text', async () => {
    await using rig = await start()
    const made = await done(rig, create(rig, 'rec-1.2', 'our text'))
    const row = (await readAll(rig, { limit: 100 })).find(
      (one) => one.externalId === made.externalId,
    )
    expect(row?.values[rig.field]).toBe('our text')
    expect(row?.marker).toBe(pushOf(rig).marker === 'none' ? undefined : 'rec-1.2')
    expect([row?.version, undefined]).toContainEqual(made.version)
    expect(['our text', undefined]).toContainEqual(made.values?.[rig.field])
  })

  test('S40: a record that changed since is a conflict, and keeps what it has', async () => {
    await using rig = await start()
    const [stale, fresh] = [rig.create('first'), rig.create('second')]
    const expected = await versionOf(rig, stale)
    rig.control.clock.advance(2_000)
    rig.edit(stale, 'changed by people')
    const outcomes = await write(rig, [
      { ...update(rig, stale, 'ours'), expected },
      { ...update(rig, fresh, 'ours'), expected: await versionOf(rig, fresh) },
    ])
    expect(outcomes).toMatchObject([{ kind: 'conflict' }, { kind: 'done', externalId: fresh }])
    expect(rig.rows().get(stale)).toBe('changed by people')
    expect(rig.rows().get(fresh)).toBe('ours')
  })

  test('S43: a record that changed since is not deleted', async () => {
    await using rig = await start()
    const id = rig.create('first')
    const expected = await versionOf(rig, id)
    rig.control.clock.advance(2_000)
    rig.edit(id, 'changed by people')
    const deletion = { operation: 'delete', externalId: id, marker: 'x', values: {} } as const
    expect(await write(rig, [{ ...deletion, expected }])).toEqual([{ kind: 'conflict' }])
    expect(rig.rows().get(id)).toBe('changed by people')
  })

  test('what is written to a record that is gone is told to be gone', async () => {
    await using rig = await start()
    const id = rig.create('first')
    const expected = await versionOf(rig, id)
    rig.remove(id)
    const outcomes = await write(rig, [
      update(rig, id, 'ours'),
      { operation: 'delete', externalId: id, marker: 'x', values: {} },
    ])
    expect(outcomes).toEqual([{ kind: 'gone' }, { kind: 'gone' }])
    const [guarded] = await write(rig, [{ ...update(rig, id, 'ours'), expected }])
    expect(guarded).toMatchObject({ kind: expect.stringMatching(/^(gone|conflict)$/) })
  })

  test('S53: whom the vendor asks for patience writes nothing and comes again', async () => {
    await using rig = await start()
    const id = rig.create('first')
    await readAll(rig, { limit: 10 })
    for (const { set } of Object.values(rig.throttles)) {
      set()
      const outcomes = await write(rig, [update(rig, id, 'ours'), create(rig, 'rec-1')])
      expect(outcomes.map(({ kind }) => kind)).toContain('retry')
    }
    rig.control.clearFaults()
    await done(rig, update(rig, id, 'ours at last'))
    expect(rig.rows().get(id)).toBe('ours at last')
  })

  test('a page for people in answer to a write tells nothing', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 10 })
    rig.control.fail({
      operation: rig.writes,
      status: 200,
      headers: PAGE,
      body: '<!DOCTYPE html>',
    })
    expect(await write(rig, [create(rig, 'rec-1')])).toMatchObject([{ kind: 'unknown' }])
    const id = rig.create('first')
    const expected = await versionOf(rig, id)
    rig.control.fail({
      operation: rig.changes,
      status: 200,
      headers: PAGE,
      body: '<!DOCTYPE html>',
    })
    const guarded = { ...update(rig, id, 'ours'), expected }
    expect(await write(rig, [guarded])).toMatchObject([{ kind: 'unknown' }])
  })

  test('a token that ended before a write is renewed once, and the write is done once', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 10 })
    const count = rig.rows().size
    rig.expireTokens()
    await done(rig, create(rig, 'rec-1'))
    expect(rig.tokens()).toBe(2)
    expect(rig.rows().size).toBe(count + 1)
  })

  test('a record that is refused is told with the reason, and its neighbours are written', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 10 })
    rig.refuseOne()
    const writes = ['rec-1', 'rec-2', 'rec-3'].map((marker) => create(rig, marker))
    expect(await write(rig, writes)).toMatchObject([
      { kind: 'rejected', reason: expect.stringMatching(/./) },
      { kind: 'done' },
      { kind: 'done' },
    ])
  })

  test('as many rows as a call takes are written in it', async () => {
    await using rig = await start()
    const push = pushOf(rig)
    const writes = Array.from({ length: push.batchSize }, (_, at) => create(rig, `rec-${at}`))
    const outcomes = await write(rig, writes)
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['done']))
    const markers = writes.map(({ marker }) => marker)
    const found = await push.findByMarker(rig.client, markers, signal)
    const known = push.marker === 'none' ? [] : markers
    expect(found.kind === 'found' ? [...found.rows.keys()].sort() : found).toEqual(
      [...known].sort(),
    )
  })
})
