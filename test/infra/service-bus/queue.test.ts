import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHeap, first, pop, push } from '../../../infra/local/service-bus/queue/heap.ts'
import { nextDeadline, tick } from '../../../infra/local/service-bus/queue/lifecycle.ts'
import {
  cancelScheduled,
  renewLock,
  settle,
  submit,
  take,
  takeDeferred,
} from '../../../infra/local/service-bus/queue/queue.ts'
import { acceptSession, releaseSession } from '../../../infra/local/service-bus/queue/sessions.ts'
import {
  createQueue,
  type QueueRules,
  type QueueState,
  type Session,
} from '../../../infra/local/service-bus/queue/state.ts'

const LOCK_MS = 60_000
const RULES: QueueRules = {
  lockDurationMs: LOCK_MS,
  maxDeliveryCount: 3,
  timeToLiveMs: 600_000,
  deadLetterOnExpiration: true,
  duplicateWindowMs: 0,
  requiresSession: false,
  sizeQuotaBytes: 1_000_000,
  isDeadLetterQueue: false,
}

function startQueue(rules: Partial<QueueRules> = {}): QueueState<string> {
  let tokens = 0
  return createQueue<string>({ ...RULES, ...rules }, () => {
    tokens += 1
    return `token-${tokens}`
  })
}

/** What may happen to a queue, with numbers that pick among what there is. */
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send'), pick: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('take'), pick: fc.nat(1) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('complete', 'abandon', 'defer', 'dead-letter', 'renew'),
      pick: fc.nat(20),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('take-deferred', 'cancel', 'take-and-delete'),
      pick: fc.nat(20),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), pick: fc.nat(90_000) }) },
)
type Command = { readonly kind: string; readonly pick: number }

/** A queue with the books kept beside it: every message sent is in one place. */
function simulate(commands: readonly Command[], rules: Partial<QueueRules> = {}) {
  const queue = startQueue(rules)
  const books = {
    sent: [] as string[],
    gone: [] as string[],
    dead: [] as string[],
    /** Deliveries of a message, by what the delivery count said. */
    counts: new Map<string, number[]>(),
    inHand: new Map<string, string>(),
  }
  let now = 1_000_000
  const anyOf = <T>(items: readonly T[], pick: number): T | undefined => items[pick % items.length]
  const collect = () => {
    for (const effect of queue.effects.splice(0)) {
      if (effect.kind === 'dead-letter') books.dead.push(effect.entry.content)
    }
  }
  const sendOne = (pick: number) => {
    const content = `message-${books.sent.length}`
    books.sent.push(content)
    const due = pick === 3 ? { dueMs: now + 30_000 } : {}
    submit(queue, [{ content, messageId: content, bytes: 1, ...due }], now)
  }
  const receive = (mode: 'peek-lock' | 'receive-and-delete') => {
    const handover = take(queue, { mode }, now)
    if (!handover) return
    const { entry, lock } = handover
    const counts = books.counts.get(entry.content) ?? []
    books.counts.set(entry.content, [...counts, entry.deliveryCount])
    if (lock) books.inHand.set(lock.token, entry.content)
    else books.gone.push(entry.content)
  }
  const finish = (kind: 'complete' | 'abandon' | 'defer' | 'dead-letter', pick: number) => {
    const token = anyOf([...books.inHand.keys()], pick)
    if (token === undefined) return
    const content = books.inHand.get(token) ?? ''
    books.inHand.delete(token)
    const result = settle(queue, { token, outcome: { kind } }, now)
    if (kind === 'complete' && result === 'settled') books.gone.push(content)
  }
  const numbersIn = (state: string) =>
    [...queue.entries.values()]
      .filter((entry) => entry.state === state && !entry.lock)
      .map(({ sequenceNumber }) => sequenceNumber)
  const acts: Readonly<Record<string, (pick: number) => void>> = {
    send: sendOne,
    take: () => receive('peek-lock'),
    'take-and-delete': () => receive('receive-and-delete'),
    complete: (pick) => finish('complete', pick),
    abandon: (pick) => finish('abandon', pick),
    defer: (pick) => finish('defer', pick),
    'dead-letter': (pick) => finish('dead-letter', pick),
    renew: (pick) => {
      const token = anyOf([...books.inHand.keys()], pick)
      if (token !== undefined) renewLock(queue, token, now)
    },
    'take-deferred': (pick) => {
      const number = anyOf(numbersIn('deferred'), pick)
      if (number === undefined) return
      const taken = takeDeferred(queue, { sequenceNumbers: [number], mode: 'peek-lock' }, now)
      for (const { lock, entry } of taken ?? [])
        if (lock) books.inHand.set(lock.token, entry.content)
    },
    cancel: (pick) => {
      const number = anyOf(numbersIn('scheduled'), pick)
      const content = number === undefined ? undefined : queue.entries.get(number)?.content
      if (number !== undefined && content !== undefined && cancelScheduled(queue, [number], now)) {
        books.gone.push(content)
      }
    },
    wait: (pick) => {
      now += pick
      tick(queue, now)
    },
  }
  for (const { kind, pick } of commands) {
    acts[kind]?.(pick)
    collect()
  }
  return { queue, books, now: () => now }
}

test('whatever happens, every message is in exactly one place', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const { queue, books } = simulate(commands)
      const inside = [...queue.entries.values()].map(({ content }) => content)
      const places = [...inside, ...books.gone, ...books.dead]
      expect(places.toSorted()).toEqual(books.sent.toSorted())
      expect(queue.bytes).toBe(inside.length)
    }),
    { numRuns: 300 },
  )
})

test('whatever happens, nothing that is available is out of reach', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const { queue, now } = simulate(commands, { maxDeliveryCount: 1000, timeToLiveMs: Infinity })
      const later = now() + LOCK_MS
      tick(queue, later)
      const available = [...queue.entries.values()].filter(({ state }) => state === 'active')
      const taken: number[] = []
      for (;;) {
        const handover = take(queue, { mode: 'receive-and-delete' }, later)
        if (!handover) break
        taken.push(handover.entry.sequenceNumber)
      }
      expect(taken).toEqual(available.map(({ sequenceNumber }) => sequenceNumber))
    }),
    { numRuns: 200 },
  )
})

test('deliveries of a message are counted from 0 up to the limit', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const { books } = simulate(commands)
      for (const counts of books.counts.values()) {
        expect(counts).toEqual([...counts.keys()])
        expect(Math.max(...counts)).toBeLessThan(RULES.maxDeliveryCount)
      }
    }),
    { numRuns: 200 },
  )
})

test('a deadline is never in the past once the clock has reached it', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const { queue, now } = simulate(commands)
      tick(queue, now())
      expect(nextDeadline(queue) ?? Infinity).toBeGreaterThan(now())
    }),
    { numRuns: 100 },
  )
})

test('in a session messages keep their order, whoever holds it and gives it back', () => {
  const step = fc.record({
    session: fc.nat(2),
    kind: fc.constantFrom('send', 'serve', 'release', 'wait'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const queue = startQueue({
        requiresSession: true,
        maxDeliveryCount: 1000,
        timeToLiveMs: Infinity,
      })
      const held = new Map<string, Session>()
      const done = new Map<string, number[]>()
      const sent = new Map<string, number>()
      let now = 0
      for (const { session, kind } of steps) {
        const id = `s${session}`
        if (kind === 'send') {
          const number = (sent.get(id) ?? 0) + 1
          sent.set(id, number)
          submit(
            queue,
            [{ content: String(number), messageId: `${id}-${number}`, sessionId: id, bytes: 1 }],
            now,
          )
        }
        if (kind === 'wait') now += LOCK_MS / 2
        if (kind === 'release') releaseSession(queue, { id, holder: 'me' }, now)
        if (kind === 'serve') {
          const granted = acceptSession(queue, { id, holder: 'me' }, now)
          if (granted) held.set(id, granted)
          const mine = held.get(id)
          const handover = mine?.holder && take(queue, { mode: 'peek-lock', session: mine }, now)
          const keep = (done.get(id)?.length ?? 0) % 3 === 2
          const token = handover ? handover.lock?.token : undefined
          if (!handover || token === undefined) continue
          const outcome = { kind: keep ? 'abandon' : 'complete' } as const
          const result = settle(queue, { token, outcome }, now)
          if (result === 'settled')
            done.set(id, [...(done.get(id) ?? []), Number(handover.entry.content)])
        }
      }
      for (const order of done.values()) expect(order).toEqual(order.toSorted((a, b) => a - b))
    }),
    { numRuns: 200 },
  )
})

test('a heap gives its live items in order, however many died', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5000), { maxLength: 3000 }), fc.nat(7), (numbers, dead) => {
      const isLive = (item: number) => item % 8 > dead
      const heap = createHeap<number>((a, b) => a < b, isLive)
      for (const number of numbers) push(heap, number)
      const drained: number[] = []
      for (let next = first(heap); next !== undefined; next = first(heap)) {
        expect(pop(heap)).toBe(next)
        drained.push(next)
      }
      expect(drained).toEqual(numbers.filter(isLive).toSorted((a, b) => a - b))
    }),
    { numRuns: 50 },
  )
})

test('settled messages leave nothing behind that grows', () => {
  const queue = startQueue()
  submit(queue, [{ content: 'kept', messageId: 'kept', bytes: 1 }], 0)
  take(queue, { mode: 'peek-lock' }, 0)
  for (let index = 0; index < 20_000; index += 1) {
    submit(queue, [{ content: 'x', messageId: String(index), bytes: 1 }], 0)
    const token = take(queue, { mode: 'peek-lock' }, 0)?.lock?.token ?? ''
    settle(queue, { token, outcome: { kind: 'complete' } }, 0)
  }
  expect([queue.entries.size, queue.locks.size]).toEqual([1, 1])
  expect(queue.deadlines.items.length).toBeLessThan(3000)
})
