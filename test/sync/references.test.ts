import { describe, expect, test } from 'vitest'
import { linkOf } from '../../src/sync/draft.ts'
import { recordOf } from '../../src/sync/merge.ts'
import { parkPush } from '../../src/sync/push.ts'
import { openStream } from '../../src/sync/references.ts'
import { linkId, recordIdOf, type Link, type RecordDocument } from '../../src/sync/record.ts'
import { pushWorld } from './push-world.ts'

const signal = new AbortController().signal
const mapping = {
  entityType: 'incident',
  fields: [
    { local: 'title', external: 'title', type: 'text' as const, required: true },
    { local: 'company', external: 'account', type: 'text' as const, reference: 'company' },
  ],
}
const companyAt = (connectionId: string) => ({ tenantId: 't', entityType: 'company', connectionId })

async function world() {
  const here = pushWorld({ mapping })
  await here.addTask()
  const task = here.ports.tasks.get(['t'], 'task-there')
  const company = recordOf(
    {
      externalId: 'c1',
      version: { time: here.ports.clock().toISOString(), count: 0 },
      fields: { name: 'Acme' },
    },
    { key: companyAt('home'), now: here.ports.clock() },
  )
  const store = (document: RecordDocument) =>
    here.shards.write(['t', 'company'], [{ kind: 'upsert', document }])
  await store(company)
  const linked = (externalId: string | null): RecordDocument => {
    const link: Link = { ...linkOf(company, 'there'), externalId }
    return { ...company, links: { ...company.links, there: link } }
  }
  const child = await here.add('i1', { title: 'one', company: company.id })
  return { here, company, linked, store, child, source: async () => (await task)?.document }
}

describe('S39: a record whose parent is not there yet', () => {
  test('waits without losing a try, and goes out as soon as its parent has', async () => {
    const { here, linked, store, child } = await world()
    for (let nth = 0; nth < 20; nth += 1) {
      await here.drain(child.id)
      here.advance(60_000)
    }
    expect(here.vendor.writes).toEqual([])
    expect(here.parked.all()).toEqual([])
    expect(linkOf(here.record(child.id) ?? child, 'there').attempts).toBeUndefined()
    await store(linked('A-7'))
    await here.drain(child.id)
    expect(here.vendor.alive().map(({ values }) => values)).toEqual([
      { title: 'one', account: 'A-7' },
    ])
    expect(here.record(child.id)?.fields['company']).toBe(child.fields['company'])
    expect(here.record(child.id)?.pending).toEqual([])
  })

  test('fails for the reason of its parent when that was refused', async () => {
    const { here, linked, store, child } = await world()
    const [side] = await here.sides()
    if (!side) throw new Error('nobody is pushed to')
    const reason = { code: 'DUPLICATES_DETECTED', message: 'Acme is there twice' }
    await store(parkPush(linked(null), reason, { side, now: here.ports.clock() }).record)
    await here.drain(child.id)
    expect(here.vendor.writes).toEqual([])
    expect(here.parked.all()).toMatchObject([
      { recordId: child.id, reason: { message: expect.stringContaining('Acme is there twice') } },
    ])
  })

  test('does not keep others of the same call from going out', async () => {
    const { here, child } = await world()
    const free = await here.add('i2', { title: 'two', company: null })
    await here.drain(child.id)
    expect(here.vendor.alive().map(({ values }) => values)).toEqual([{ title: 'two' }])
    expect(here.record(free.id)?.pending).toEqual([])
  })

  test('is parked in the end when no such parent ever comes', async () => {
    const { here } = await world()
    const orphan = await here.add('i3', { title: 'three', company: 'rec-nobody' })
    for (let nth = 0; nth < 8; nth += 1) {
      await here.drain(orphan.id)
      here.advance(3_600_000)
    }
    expect(here.parked.all()).toMatchObject([{ recordId: orphan.id }])
  })
})

test('a row that names another row comes in with the id of our record of it', async () => {
  const { here, company, source } = await world()
  const task = await source()
  if (!task) throw new Error('there is no task')
  const link = { kind: 'link', ...companyAt('there'), recordId: company.id } as const
  await here.shards.write(
    ['t', 'company'],
    [
      {
        kind: 'create',
        document: { ...link, id: linkId(companyAt('there'), 'A-7'), externalId: 'A-7' },
      },
    ],
  )
  here.vendor.create({ title: 'known', account: 'A-7' })
  here.vendor.create({ title: 'not read yet', account: 'A-8' })
  here.vendor.create({ title: 'none', account: '' })
  const stream = await openStream(here.ports, task)
  if (stream.kind !== 'source') throw new Error('no source')
  const page = await stream.fetchPage({ after: null, skip: 0, limit: 10 }, signal)
  const accounts = page.kind === 'page' ? page.rows.map(({ values }) => values['account']) : []
  expect(accounts).toEqual([company.id, recordIdOf(companyAt('there'), 'A-8'), ''])
})
