import fc from 'fast-check'
import { expect, test } from 'vitest'
import { climb, type Standing } from '../../src/webhooks/standing.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { calling, incidentTarget, world } from './receiver-world.ts'

const words = ['sent', 'failed', 'delivered', 'read', 'played'] as const
type Word = (typeof words)[number]

function statuses(...told: readonly Word[]): string {
  const value = {
    messaging_product: 'whatsapp',
    statuses: told.map((status, index) => ({
      id: 'wamid.1',
      status,
      timestamp: String(1_749_416_383 + index),
    })),
  }
  return JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{ id: 'w', changes: [{ field: 'messages', value }] }],
  })
}

const whatsapp = { scheme: 'whatsapp', forward: 'outbound' } as const
type World = Awaited<ReturnType<typeof world>>

/** What the queue was told of the message's status, in order. */
const handedOver = ({ outbound }: World) =>
  outbound.waiting.map(
    ({ body }) => (body as unknown as { changes: { status: string } }).changes.status, // our own
  )

async function tell(here: World, ...told: readonly Word[]) {
  here.advance(1_000)
  return here.receive(calling(statuses(...told), { scheme: 'whatsapp' }))
}

test('S13: read, delivered, sent, failed, delivered ends as read, and nothing after it is handed over', async () => {
  const here = await world(whatsapp)
  for (const status of ['read', 'delivered', 'sent', 'failed', 'delivered'] as const) {
    expect(await tell(here, status)).toMatchObject({ kind: 'accepted' })
  }
  expect(handedOver(here)).toEqual(['read'])
  expect(here.standings.all()).toMatchObject([{ externalId: 'wamid.1', standing: 'read' }])
  expect(here.records('noted').map(({ outdated }) => outdated)).toEqual([1, 1, 1, 1])
})

test('S13: what failed and was delivered after all was delivered', async () => {
  const here = await world(whatsapp)
  for (const status of ['sent', 'failed', 'delivered'] as const) await tell(here, status)
  expect(handedOver(here)).toEqual(['sent', 'failed', 'delivered'])
})

test('S13: of several statuses in one delivery the highest goes on', async () => {
  const here = await world(whatsapp)
  await tell(here, 'read', 'sent', 'delivered')
  expect(handedOver(here)).toEqual(['read'])
})

test('S13: whatever comes, in whatever order and batches, the highest stands and is handed over last', async () => {
  const batch = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
      const here = await world(whatsapp)
      for (const told of batches) await tell(here, ...told)
      const top = Math.max(...batches.flat().map((word) => words.indexOf(word)))
      expect(here.standings.all()).toMatchObject([{ standing: words[top] }])
      const ranks = handedOver(here).map((word) => words.indexOf(word as Word))
      expect(ranks.at(-1)).toBe(top)
      expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    }),
    { numRuns: 50 },
  )
})

test('a status that was stored and not handed over is handed over when it comes again', async () => {
  const here = await world(whatsapp)
  const call = calling(statuses('delivered'), { scheme: 'whatsapp' })
  here.outbound.goAway()
  here.deliveries.goAway()
  await expect(here.receive(call)).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(here.standings.all()).toHaveLength(1)
  delete here.outbound.before
  delete here.deliveries.before
  expect(await here.receive(call)).toMatchObject({ kind: 'accepted', synced: true })
  expect(handedOver(here)).toEqual(['delivered'])
})

test('a record that is pulled is pulled for a status that is news, and only then', async () => {
  const here = await world({ scheme: 'whatsapp' }, [{ ...incidentTarget, entityType: 'message' }])
  for (const status of ['read', 'sent'] as const) await tell(here, status)
  expect(here.inbound.waiting).toHaveLength(1)
})

test('of two instances that climb at the same moment the higher stands', async () => {
  const standings = memoryCollection<Standing>()
  const ports = { standings, clock: () => new Date(0) }
  const rung = (rank: number) => ({
    entityType: 'message',
    externalId: 'm',
    status: words[rank] ?? '',
    rank,
  })
  await Promise.all([3, 1, 4, 2, 0].map((rank) => climb(ports, 'reg-1', [rung(rank)])))
  expect(standings.all()).toMatchObject([{ rank: 4 }])
})
