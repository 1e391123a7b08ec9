import { expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { addMs } from '../../src/core/time.ts'
import { serviceNowEventShape } from '../../src/notifications/event.ts'
import { receiveEvent, relayUntold, type Delivery } from '../../src/notifications/receive.ts'
import { memoryCollection } from '../ports/memory-collection.ts'

/** One store, phones' service and clock that any number of instances share. */
function cloud() {
  let now = new Date('2026-11-20T12:00:00Z')
  const deliveries = memoryCollection<Delivery>()
  const told: string[] = []
  const waiting: PromiseWithResolvers<void>[] = []
  let mode: 'up' | 'held' | 'down' = 'up'
  const send = async (group: string, payload: object): Promise<void> => {
    if (mode === 'down') throw new AppError('realtime_unavailable', 'the hub is away')
    if (mode === 'held') {
      const held = Promise.withResolvers<void>()
      waiting.push(held)
      await held.promise
    }
    told.push(`${group} ${String(Reflect.get(payload, 'title'))}`)
  }
  const ports = {
    deliveries,
    realtimes: [
      {
        service: 'signalr' as const,
        sendToGroup: send,
        negotiate: async () => ({ url: '', accessToken: '' }),
        ping: async () => {},
      },
    ],
    clock: () => now,
    log: { info() {}, warn() {}, error() {}, metric() {} },
  }
  return {
    ports,
    told,
    waiting,
    become: (next: typeof mode) => (mode = next),
    pass: (ms: number) => (now = addMs(now, ms)),
    stored: () => deliveries.all(),
  }
}

function incoming(change: { readonly digest?: string; readonly event_id?: string } = {}) {
  const { digest = 'd1', ...more } = change
  const event = serviceNowEventShape.parse({
    event_type: 'incident.updated',
    table: 'incident',
    operation: 'update',
    record: { sys_id: 'a1', number: 'INC1', assigned_to: 'u1', state: '2' },
    timestamp: '2026-11-20T12:00:00Z',
    ...more,
  })
  return { event, digest, sourceIp: null }
}

const TOLD = 'user-u1 Incident INC1 Assigned'

/** Lets everything go on that waits for nothing but its turn. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
}

test('S4: of two identical posts at the same moment on two instances one tells, and both are answered', async () => {
  const { ports, told, waiting, become, stored } = cloud()
  become('held')
  const both = [receiveEvent(ports, incoming()), receiveEvent(ports, incoming())]
  await turns()
  expect(waiting).toHaveLength(1)
  waiting[0]?.resolve()
  await Promise.all(both)
  expect(told).toEqual([TOLD])
  expect(stored()).toMatchObject([{ status: 'notified' }])
})

test('attempts that differ in bytes and share an event id are one event; without an id the bytes decide', async () => {
  const { ports, told } = cloud()
  await receiveEvent(ports, incoming({ digest: 'd1', event_id: 'e1' }))
  await receiveEvent(ports, incoming({ digest: 'd2', event_id: 'e1' }))
  expect(told).toEqual([TOLD])
  await receiveEvent(ports, incoming({ digest: 'd3', event_id: 'e2' }))
  await receiveEvent(ports, incoming({ digest: 'd4' }))
  await receiveEvent(ports, incoming({ digest: 'd4' }))
  expect(told).toEqual([TOLD, TOLD, TOLD])
})

test('an id that looks like a digest is another event than the digest', async () => {
  const { ports, told } = cloud()
  await receiveEvent(ports, incoming({ digest: 'same' }))
  await receiveEvent(ports, incoming({ digest: 'other', event_id: 'same' }))
  expect(told).toEqual([TOLD, TOLD])
})

test('what an instance stored and died with before telling is told by the relay, once', async () => {
  const { ports, told, waiting, become, pass, stored } = cloud()
  become('held')
  void receiveEvent(ports, incoming())
  await turns()
  // It never goes on: the process is gone.
  expect(waiting).toHaveLength(1)
  become('up')
  expect(await relayUntold(ports)).toBe(0)
  pass(60_000)
  expect(await relayUntold(ports)).toBe(1)
  expect(await relayUntold(ports)).toBe(0)
  expect(told).toEqual([TOLD])
  const [delivery] = stored()
  expect(delivery).toMatchObject({ status: 'notified' })
  expect(delivery).not.toHaveProperty('untold')
  expect(delivery).not.toHaveProperty('claimedUntil')
})

test('while the phones are away the sender is told to retry; the retry or the relay tells, whoever comes first', async () => {
  const { ports, told, become, pass } = cloud()
  become('down')
  await expect(receiveEvent(ports, incoming())).rejects.toMatchObject({
    code: 'realtime_unavailable',
  })
  expect(await relayUntold(ports)).toBe(0)
  become('up')
  pass(1)
  await Promise.all([receiveEvent(ports, incoming()), relayUntold(ports), relayUntold(ports)])
  expect(told).toEqual([TOLD])
})

test('one notification that cannot be sent does not keep the others waiting', async () => {
  const { ports, become, pass, stored } = cloud()
  become('down')
  for (const digest of ['d1', 'd2', 'd3']) {
    await receiveEvent(ports, incoming({ digest })).catch(() => undefined)
  }
  become('up')
  pass(1)
  const [hub] = ports.realtimes
  let sends = 0
  const choosy = {
    ...ports,
    realtimes: ports.realtimes.map((one) => ({
      ...one,
      sendToGroup: async (group: string, payload: object) => {
        sends += 1
        if (sends === 1) throw new AppError('realtime_unavailable', 'not this one')
        await hub?.sendToGroup(group, payload)
      },
    })),
  }
  expect(await relayUntold(choosy)).toBe(2)
  expect(stored().filter(({ status }) => status === 'received')).toHaveLength(1)
})

test('an event of which nobody is to be told is stored in one write and never told', async () => {
  const { ports, told, stored } = cloud()
  const event = { ...incoming().event, operation: 'delete' as const }
  await receiveEvent(ports, { ...incoming(), event })
  expect(await relayUntold(ports)).toBe(0)
  expect(told).toEqual([])
  expect(stored()).toMatchObject([{ status: 'ignored' }])
})
