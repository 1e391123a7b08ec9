import { describe, expect, test } from 'vitest'
import { latest, readAll, signal, type Rig } from './rig.ts'
import { rigs } from './rigs.ts'

const many = (count: number) => Array.from({ length: count }, (_, at) => `text ${at}`)

/** What was there before the test, such as the users of a new instance. */
const own = async (rig: Rig) =>
  new Set((await readAll(rig, { limit: 100 })).map((r) => r.externalId))

describe.each(rigs)('%s', (_, start) => {
  test('S25: rows of one second arrive once each, wherever the pages end', async () => {
    await using rig = await start()
    const before = await own(rig)
    for (const text of many(25)) rig.create(text)
    for (const limit of [1, 7, 25, 100]) {
      const read = (await readAll(rig, { limit })).filter((row) => !before.has(row.externalId))
      expect(read.map(({ externalId }) => externalId).sort()).toEqual([...rig.rows().keys()].sort())
      expect(latest(read, rig.field)).toEqual(rig.rows())
    }
  })

  test('totals that lie lose no row, and read none for ever', async ({ skip }) => {
    await using rig = await start()
    const { lieAboutTotals } = rig
    if (!lieAboutTotals) return skip('it tells no totals')
    const before = await own(rig)
    for (const text of many(25)) rig.create(text)
    for (const by of [-1_000, -7, 9, 40]) {
      lieAboutTotals(by)
      const read = await readAll(rig, { limit: 10 })
      const ids = read.map(({ externalId }) => externalId).filter((id) => !before.has(id))
      expect(ids.sort()).toEqual([...rig.rows().keys()].sort())
    }
  })

  test('S29: rows that move while they are read are read where they have gone', async () => {
    await using rig = await start()
    const before = await own(rig)
    const ids: string[] = []
    for (const text of many(12)) {
      ids.push(rig.create(text))
      rig.control.clock.advance(1_000)
    }
    const moves = [ids[0], ids[6], ids[11], ids[5]]
    const between = (page: number) => {
      const id = moves[page - 1]
      rig.control.clock.advance(1_000)
      if (id !== undefined) rig.edit(id, `moved ${page}`)
    }
    const read = await readAll(rig, { limit: 3, between })
    const found = latest(
      read.filter((row) => !before.has(row.externalId)),
      rig.field,
    )
    expect(found).toEqual(rig.rows())
  })

  test('S27: a row that was committed late is found by a run that begins an overlap earlier', async () => {
    await using rig = await start()
    rig.create('first')
    const last = (await readAll(rig, { limit: 10 })).at(-1)?.cursor
    const late = rig.commitLate('late', 30)
    const after = {
      time: new Date(Date.parse(last?.time ?? '') - rig.stream.overlapMs).toISOString(),
      id: '',
    }
    const again = await readAll(rig, { limit: 10, after })
    expect(again.map(({ externalId }) => externalId)).toContain(late)
  })

  test('the rows of a page stand in the order of their places', async () => {
    await using rig = await start()
    for (const text of many(9)) {
      rig.create(text)
      if (text.endsWith('4')) rig.control.clock.advance(1_000)
    }
    const places = (await readAll(rig, { limit: 4 })).map(
      ({ cursor }) => `${cursor.time} ${cursor.id}`,
    )
    expect(places).toEqual([...places].sort())
  })

  test('S53: every way to ask for patience is a retry, with the wait that the vendor names', async () => {
    await using rig = await start()
    for (const { set, afterMs } of Object.values(rig.throttles)) {
      set()
      const page = await rig.stream.fetchPage(
        rig.client,
        { after: null, skip: 0, limit: 5 },
        signal,
      )
      expect(page).toMatchObject({ kind: 'retry', ...(afterMs === undefined ? {} : { afterMs }) })
    }
    expect(await readAll(rig, { limit: 5 })).toBeDefined()
  })

  test('a token that ended is renewed once', async () => {
    await using rig = await start()
    await readAll(rig, { limit: 5 })
    rig.expireTokens()
    await readAll(rig, { limit: 5 })
    expect(rig.tokens()).toBe(2)
  })

  test.for([
    ['a page for people with 200', (rig: Rig) => rig.showPage(1, 200)],
    ['a page for people with 502', (rig: Rig) => rig.showPage(1, 502)],
    [
      'half an answer',
      (rig: Rig) => rig.control.fail({ operation: rig.reads, status: 200, body: '{"resu' }),
    ],
    [
      'an answer of another shape',
      (rig: Rig) => rig.control.fail({ operation: rig.reads, status: 200, body: '{"a":1}' }),
    ],
    ['a fault', (rig: Rig) => rig.control.fail({ operation: rig.reads, status: 503, body: '' })],
    ['a cut line', (rig: Rig) => rig.control.fail({ operation: rig.reads, connection: 'drop' })],
    [
      'a lost answer',
      (rig: Rig) => rig.control.fail({ operation: rig.reads, connection: 'lose-answer' }),
    ],
  ] as const)('%s is a retry, and the next try reads the page', async ([, plan]) => {
    await using rig = await start()
    rig.create('one')
    await readAll(rig, { limit: 50 })
    plan(rig)
    const request = { after: null, skip: 0, limit: 50 }
    expect(await rig.stream.fetchPage(rig.client, request, signal)).toMatchObject({ kind: 'retry' })
    expect(await rig.stream.fetchPage(rig.client, request, signal)).toMatchObject({ kind: 'page' })
  })

  test('a redirect is refused and not followed', async () => {
    await using rig = await start()
    rig.control.fail({
      operation: rig.reads,
      status: 302,
      headers: { location: 'http://127.0.0.1:1/elsewhere' },
    })
    expect(
      await rig.stream.fetchPage(rig.client, { after: null, skip: 0, limit: 5 }, signal),
    ).toMatchObject({ kind: 'refused' })
  })

  test('S31: a deletion by people is told, and a look at the record confirms it', async () => {
    await using rig = await start()
    const before = await own(rig)
    const [kept, gone] = [rig.create('kept'), rig.create('gone')]
    const place = (await readAll(rig, { limit: 10 })).at(-1)?.cursor ?? null
    rig.control.clock.advance(1_000)
    rig.remove(gone)
    const { push, fetchDeleted, fetchIds } = rig.stream
    const told = (await readAll(rig, { limit: 10, after: place })).filter(({ deleted }) => deleted)
    const logged = await fetchDeleted?.(rig.client, { since: null, limit: 10 }, signal)
    const named = [
      ...told.map(({ externalId }) => externalId),
      ...(logged?.kind === 'page' ? logged.rows.map(({ externalId }) => externalId) : []),
    ]
    const isListed = named.length > 0 ? named : undefined
    expect(isListed ?? [gone]).toEqual([gone])
    const ids = await fetchIds?.(rig.client, { after: null, limit: 100 }, signal)
    expect(ids?.kind === 'page' && ids.ids.filter((id) => !before.has(id))).toEqual([kept])
    expect(await push?.fetchOne(rig.client, gone, signal)).toEqual({ kind: 'gone' })
    expect(await push?.fetchOne(rig.client, kept, signal)).toMatchObject({ kind: 'row' })
  })

  test('S31: a record that is hidden from us is not taken for gone', async () => {
    await using rig = await start()
    const id = rig.create('hidden')
    await readAll(rig, { limit: 10 })
    rig.hide(id)
    expect(await rig.stream.push?.fetchOne(rig.client, id, signal)).toEqual({ kind: 'hidden' })
  })

  test('the ids of all records come page by page, in their order', async () => {
    await using rig = await start()
    const before = await own(rig)
    for (const text of many(23)) rig.create(text)
    for (const limit of [4, 50]) {
      const found: string[] = []
      for (let more = true; more;) {
        const page = await rig.stream.fetchIds?.(
          rig.client,
          { after: found.at(-1) ?? null, limit },
          signal,
        )
        if (page?.kind !== 'page') throw new Error('no page came')
        found.push(...page.ids)
        more = page.more
      }
      expect(found.filter((id) => !before.has(id)).sort()).toEqual([...rig.rows().keys()].sort())
    }
  })
})
