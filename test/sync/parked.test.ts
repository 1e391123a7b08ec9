import { describe, expect, test } from 'vitest'
import { parkDeadLetters, parkMessage } from '../../src/sync/dead-letters.ts'
import { redrive, redriveMany } from '../../src/sync/parked.ts'
import { memoryDeadLetters } from '../ports/memory-dead-letters.ts'
import { pushWorld } from './push-world.ts'

const inbound = (nth: number, tenantId = 't') => ({
  integrationId: 'vendor',
  tenantId,
  connectionId: 'there',
  syncMode: 'pull',
  priority: 'normal',
  correlationId: `run-${nth}`,
  enqueuedAt: '2026-03-01T10:00:00.000Z',
  taskId: `task-${nth % 2}`,
  deferrals: 10,
})

/** Eight hours of a provider that was away, in small. */
async function buried(count: number) {
  const here = pushWorld()
  const deadLetters = memoryDeadLetters()
  for (let nth = 0; nth < count; nth += 1) {
    deadLetters.waiting.push({ id: `m-${nth}`, body: inbound(nth), reason: 'MaxDeliveryCount' })
  }
  const park = () => parkDeadLetters(here.ports, [{ name: 'sync-inbound', deadLetters }])
  const sent = () => {
    const { inbound: queue } = here.ports
    return 'waiting' in queue ? (queue.waiting as { id: string; body: object }[]) : [] // in memory
  }
  return { here, deadLetters, park, sent }
}

describe('S24: what the bus gave up', () => {
  test('lies where its tenant finds it, with the reason, and is not lost on the way', async () => {
    const { here, deadLetters, park } = await buried(250)
    expect([await park(), await park(), await park(), await park()]).toEqual([100, 100, 50, 0])
    expect(deadLetters.waiting).toEqual([])
    expect(here.parked.all()).toHaveLength(250)
    expect(here.parked.all()[0]).toMatchObject({
      tenantId: 't',
      kind: 'message',
      queue: 'sync-inbound',
      reason: { code: 'dead_lettered', message: 'MaxDeliveryCount' },
    })
  })

  test('is counted first, then sent again so many at a time, and each once', async () => {
    const { here, park, sent } = await buried(20)
    await park()
    const wish = { kind: 'message', limit: 8, dryRun: true } as const
    expect(await redriveMany(here.ports, 't', wish)).toEqual({ matched: 20, sent: 0, failed: [] })
    expect(sent()).toEqual([])
    const rounds = []
    for (let nth = 0; nth < 4; nth += 1) {
      rounds.push(await redriveMany(here.ports, 't', { ...wish, dryRun: false }))
    }
    expect(rounds.map(({ matched, sent: count }) => [matched, count])).toEqual([
      [20, 8],
      [12, 8],
      [4, 4],
      [0, 0],
    ])
    expect(new Set(sent().map(({ id }) => id)).size).toBe(20)
    expect(sent()[0]?.body).toMatchObject({ taskId: 'task-0', deferrals: 0 })
    expect(here.parked.all()).toEqual([])
  })

  test('is chosen by its reason, and by nobody else’s tenant', async () => {
    const { here, park } = await buried(3)
    await park()
    const all = { limit: 10, dryRun: true }
    expect(await redriveMany(here.ports, 't', { ...all, code: 'other' })).toMatchObject({
      matched: 0,
    })
    expect(await redriveMany(here.ports, 'other', all)).toMatchObject({ matched: 0 })
    const [one] = here.parked.all()
    await expect(redrive(here.ports, 'other', one?.id ?? '')).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  test('is not sent again twice when two people ask at once', async () => {
    const { here, park, sent } = await buried(1)
    await park()
    const id = here.parked.all()[0]?.id ?? ''
    const asked = await Promise.allSettled([
      redrive(here.ports, 't', id),
      redrive(here.ports, 't', id),
    ])
    expect(asked.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(sent()).toHaveLength(1)
  })

  test('that nobody can read is set aside: the others go, it stays', async () => {
    const { here, park, sent } = await buried(2)
    await park()
    const poison = JSON.stringify({ tenantId: 't', nonsense: true })
    await parkMessage(here.ports, 'sync-inbound', {
      messageId: 'bad',
      payload: poison,
      reason: 'taskId: required',
    })
    const round = await redriveMany(here.ports, 't', { limit: 10, dryRun: false })
    expect(round).toMatchObject({ matched: 3, sent: 2 })
    expect(round.failed).toHaveLength(1)
    expect(sent()).toHaveLength(2)
    expect(here.parked.all()).toMatchObject([{ messageId: 'bad' }])
  })

  test('that nobody can read takes no other one’s turn', async () => {
    const { here } = await buried(0)
    const park = (messageId: string, payload: object) =>
      parkMessage(here.ports, 'sync-inbound', {
        messageId,
        payload: JSON.stringify({ tenantId: 't', ...payload }),
        reason: 'broken',
      })
    await park('bad', { nonsense: true })
    here.advance(1_000)
    await park('good', inbound(1))
    const round = await redriveMany(here.ports, 't', { limit: 1, dryRun: false })
    expect(round).toMatchObject({ matched: 2, sent: 1, failed: [{}] })
    expect(here.parked.all()).toMatchObject([{ messageId: 'bad' }])
  })

  test('goes the longest parked first: what comes back at once lets the others go', async () => {
    const { here } = await buried(0)
    const park = (messageId: string) =>
      parkMessage(here.ports, 'sync-inbound', {
        messageId,
        payload: JSON.stringify(inbound(Number(messageId))),
        reason: 'MaxDeliveryCount',
      })
    for (const messageId of ['1', '2', '3']) {
      await park(messageId)
      here.advance(1_000)
    }
    await park('1')
    const left = () => here.parked.all().map((one) => ('messageId' in one ? one.messageId : ''))
    for (const gone of ['2', '3', '1']) {
      await redriveMany(here.ports, 't', { limit: 1, dryRun: false })
      expect(left()).not.toContain(gone)
    }
  })

  test('that names no tenant is nobody’s', async () => {
    const { here } = await buried(0)
    await parkMessage(here.ports, 'sync-inbound', {
      messageId: 'x',
      payload: '{not json',
      reason: 'broken',
    })
    expect(here.parked.all()).toMatchObject([{ tenantId: '_unreadable' }])
  })
})
