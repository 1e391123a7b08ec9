import { expect, test } from 'vitest'
import { openLedger } from './ledger.ts'
import { checksOf, summaryOf, type Seen } from './verdict.ts'

const MB = 1024 * 1024
const times = (count: number, ms: number) => Array.from({ length: count }, () => ms)

const good: Seen = {
  minutes: 10,
  capacity: 100,
  load: 80,
  given: 78,
  events: 10,
  accepted: 10,
  retried: 1,
  edits: 3,
  mishaps: 2,
  notifications: { accepted: 5, heard: 5 },
  lost: [],
  parked: [],
  deadLettered: 0,
  unrecorded: 0,
  undispatched: 0,
  memory: times(100, 300 * MB),
  latencies: [{ kind: 'webhook', idle: times(40, 10), loaded: times(40, 19) }],
}
const failing = (seen: Seen, judgesTime = true) =>
  checksOf(seen, { judgesTime }).filter(({ holds }) => !holds)

test('a soak in which nothing went wrong holds everything', () => {
  expect(failing(good)).toEqual([])
  expect(summaryOf(good, checksOf(good, { judgesTime: true }))).toContain('everything held')
})

const broken: readonly (readonly [string, Partial<Seen>])[] = [
  ['a lost value', { lost: ['title of a row'] }],
  ['a parked row', { parked: ['row of a tenant'] }],
  ['a dead letter', { deadLettered: 1 }],
  ['an accepted webhook that nobody stored', { unrecorded: 1 }],
  ['a delivery that waits', { undispatched: 1 }],
  ['a webhook that was never accepted', { accepted: 9 }],
  ['no webhook at all', { events: 0, accepted: 0 }],
  ['a phone that heard too little', { notifications: { accepted: 5, heard: 4 } }],
  ['memory that doubles', { memory: times(100, 0).map((_, at) => (300 + 3 * at) * MB) }],
  [
    'a light tenant that waits three times as long',
    { latencies: [{ kind: 'webhook', idle: times(40, 10), loaded: times(40, 30) }] },
  ],
  [
    'a light tenant of whom nothing was measured',
    { latencies: [{ kind: 'inbound', idle: [], loaded: [] }] },
  ],
]
test.for(broken)('%s fails one check, and the summary says so', ([, change]) => {
  const seen = { ...good, ...change }
  expect(failing(seen)).toHaveLength(1)
  const summary = summaryOf(seen, checksOf(seen, { judgesTime: true }))
  expect(summary).toContain('**no**')
  expect(summary).toMatch(/1 of \d+ checks failed/)
})

test('where time is not judged, neither speed nor memory fails', () => {
  const slow = { kind: 'webhook', idle: times(40, 10), loaded: times(40, 90) } as const
  const memory = times(100, 0).map((_, at) => (300 + 3 * at) * MB)
  expect(failing({ ...good, memory, latencies: [slow] }, false)).toEqual([])
})

test('a value that arrives stands for those that its row was given before it', () => {
  const ledger = openLedger(() => 100)
  const sent = { tenant: 't', row: 'r' }
  ledger.begin('inbound', { ...sent, value: 'a', at: 0 })
  ledger.begin('inbound', { ...sent, value: 'b', at: 10 })
  ledger.begin('inbound', { ...sent, value: 'c', at: 20 })
  ledger.arrive('inbound', { ...sent, value: 'other' }, 30)
  expect(ledger.waiting()).toBe(3)
  ledger.arrive('inbound', { ...sent, value: 'b' }, 30)
  expect(ledger.times('inbound', ['t'], { from: 0, to: 50 })).toEqual([30, 20])
  expect(ledger.waiting('t')).toBe(1)
  ledger.arrive('inbound', { ...sent, value: 'b' }, 40)
  expect(ledger.waiting('t')).toBe(1)
  expect(ledger.last.inbound.get('t r')).toBe('c')
})

test('only what was begun within a span, by one of the tenants, counts', () => {
  const ledger = openLedger(() => 100)
  ledger.answered('t', 30)
  expect(ledger.times('webhook', ['t'], { from: 70, to: 71 })).toEqual([30])
  expect(ledger.times('webhook', ['t'], { from: 71, to: 90 })).toEqual([])
  expect(ledger.times('webhook', ['u'], { from: 0, to: 99 })).toEqual([])
})
