import type { PlannedFault } from '../faults.ts'

/** A scenario of the design as a plan of faults; everything else still follows the seed, so a few are played. */
export interface Scenario {
  readonly id: string
  readonly title: string
  readonly world: string
  readonly plan: readonly PlannedFault[]
  /** What the seeds play themselves: a line of the timeline that shows that they did. */
  readonly sees?: RegExp
}

const vendors = ['snow', 'force', 'hub'] as const
/** The same fault at the first write to each vendor that is there. */
const atFirstWrites = (fault: Omit<PlannedFault, 'site'>): readonly PlannedFault[] =>
  vendors.map((vendor) => ({ site: `outbound ${vendor}.write`, ...fault }))
const nths = (
  site: string,
  numbers: readonly number[],
  fault: Omit<PlannedFault, 'site' | 'nth'>,
) => numbers.map((nth): PlannedFault => ({ site, nth, ...fault }))

export const scenarios: readonly Scenario[] = [
  {
    id: 'S1',
    title: 'the process dies before the notified event is stored',
    world: 'webhook',
    plan: [{ site: 'webhook deliveries.write', kind: 'crash-before' }],
  },
  {
    id: 'S1',
    title: 'the receiver dies before anything is durable',
    world: 'receiver',
    plan: [
      { site: 'receiver queue.send', kind: 'crash-before' },
      { site: 'receiver deliveries.write', kind: 'crash-before' },
    ],
  },
  {
    id: 'S2',
    title: 'the process dies after the notified event is stored',
    world: 'webhook',
    plan: [{ site: 'webhook deliveries.write', kind: 'crash-after' }],
  },
  {
    id: 'S2',
    title: 'the receiver dies after the queue has the event',
    world: 'receiver',
    plan: [{ site: 'receiver queue.send', kind: 'crash-after' }],
  },
  {
    id: 'S3',
    title: 'the queue is away, the store is not: the relay sends it later',
    world: 'receiver',
    plan: nths('receiver queue.send', [1, 2], { kind: 'unavailable' }),
  },
  {
    id: 'S3',
    title: 'queue and store are away: the sender tries again',
    world: 'receiver',
    plan: [
      { site: 'receiver queue.send', kind: 'unavailable' },
      ...nths('receiver deliveries.write', [1, 2], { kind: 'unavailable' }),
    ],
  },
  {
    id: 'S4',
    title: 'one delivery comes to two instances at the same time',
    world: 'receiver',
    plan: nths('sender post', [1, 2, 3], { kind: 'twice' }),
  },
  {
    id: 'S12',
    title: 'events are worked on in another order than they came in',
    world: 'receiver',
    plan: nths('worker delivery', [1, 2, 4], { kind: 'delay', size: 0.8 }),
  },
  {
    id: 'S18',
    title: 'the scheduler dies between claim and message',
    world: 'inbound',
    plan: [{ site: 'scheduler tasks.write', kind: 'crash-after' }],
  },
  {
    id: 'S18',
    title: 'the scheduler dies after the message',
    world: 'inbound',
    plan: [{ site: 'scheduler queue.send', kind: 'crash-after' }],
  },
  {
    id: 'S19',
    title: 'the timer fires twice, then not at all',
    world: 'inbound',
    plan: [
      { site: 'scheduler timer', kind: 'twice' },
      ...nths('scheduler timer', [2, 3], { kind: 'skipped' }),
    ],
  },
  {
    id: 'S20',
    title: 'the message is lost to ten crashes; the claim is offered again',
    world: 'inbound',
    plan: nths('worker tasks.get', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], { kind: 'crash-before' }),
  },
  {
    id: 'S21',
    title: 'the lock ends while the first worker still works',
    world: 'inbound',
    plan: [
      { site: 'worker delivery', kind: 'lock-lost', size: 0 },
      { site: 'worker vendor.fetch', nth: 2, kind: 'delay', size: 0.99 },
    ],
  },
  {
    id: 'S21',
    title: 'the lock ends while the first worker still pushes',
    world: 'ring',
    plan: [
      { site: 'outbound delivery', kind: 'lock-lost', size: 0 },
      ...atFirstWrites({ kind: 'delay', size: 0.6 }),
    ],
  },
  {
    id: 'S22',
    title: 'rows that do not fit are parked, and their siblings go on',
    world: 'inbound',
    plan: [],
    sees: /a row that does not fit/,
  },
  {
    id: 'S23',
    title: 'the vendor asks the reader to wait',
    world: 'inbound',
    plan: [{ site: 'worker vendor.fetch', nth: 2, kind: 'vendor-trouble', size: 0 }],
  },
  {
    id: 'S23',
    title: 'the vendor asks the writer to wait',
    world: 'ring',
    plan: atFirstWrites({ kind: 'vendor-trouble', size: 0.2 }),
  },
  {
    id: 'S25',
    title: 'many rows to a second, the worker dies at every third page',
    world: 'inbound',
    plan: nths('worker shards.write', [2, 5, 8, 11], { kind: 'crash-after' }),
  },
  {
    id: 'S27',
    title: 'rows are committed late, also while a run waits longer than the overlap',
    world: 'inbound',
    plan: nths('worker vendor.fetch', [2, 6], { kind: 'vendor-trouble', size: 0.95 }),
    sees: /commits late/,
  },
  {
    id: 'S28',
    title: 'the vendor’s clock is seven minutes ahead or behind',
    world: 'inbound',
    plan: [],
    sees: /clock is -?420000 ms off/,
  },
  {
    id: 'S29',
    title: 'rows move to the end of the stream while it is paged',
    world: 'inbound',
    plan: nths('worker vendor.fetch', [2, 3], { kind: 'delay', size: 0.99 }),
    sees: /updates rows/,
  },
  {
    id: 'S33',
    title: 'a lagging replica of the vendor answers after a newer one',
    world: 'inbound',
    plan: nths('worker vendor.fetch', [3, 6, 9], { kind: 'stale', size: 0.9 }),
  },
  {
    id: 'S36',
    title: 'the rows of one write fare differently',
    world: 'ring',
    plan: atFirstWrites({ kind: 'vendor-trouble', size: 0.8 }),
  },
  {
    id: 'S37',
    title: 'the answer to a create is lost',
    world: 'ring',
    plan: atFirstWrites({ kind: 'vendor-trouble', size: 0.45 }),
  },
  {
    id: 'S37',
    title: 'the worker dies after the vendor has created the record',
    world: 'ring',
    plan: atFirstWrites({ kind: 'crash-after' }),
  },
  {
    id: 'S41',
    title: 'what we wrote comes back in the next run, which is played twice',
    world: 'ring',
    plan: nths('scheduler timer', [1, 3, 5], { kind: 'twice' }),
    sees: /(?:snow|force|hub) (?:create|update)/,
  },
  {
    id: 'S42',
    title: 'both sides edit; who loses is kept',
    world: 'ring',
    plan: [],
    sees: /conflict (?:open|resolved)/,
  },
  {
    id: 'S43',
    title: 'deletes meet edits, and what was deleted comes back',
    world: 'ring',
    plan: [],
    sees: /(?:snow|force|hub) delete/,
  },
  {
    id: 'S45',
    title: 'systems in a ring with lossy mappings come to rest',
    world: 'ring',
    plan: nths('relay timer', [2, 4], { kind: 'twice' }),
    sees: /(?:snow|force|hub) (?:create|update)/,
  },
  {
    id: 'S47',
    title: 'many callers on many instances find the token expired',
    world: 'refresh',
    plan: [],
    sees: /the provider answers 200/,
  },
  {
    id: 'S48',
    title: 'the provider takes longer than the lease',
    world: 'refresh',
    plan: nths('instance provider.token', [1, 2], { kind: 'delay', size: 0.99 }),
  },
  {
    id: 'S49',
    title: 'the process dies after the provider has rotated',
    world: 'refresh',
    plan: [{ site: 'instance provider.token', kind: 'crash-after' }],
  },
  {
    id: 'S49',
    title: 'the process dies after the new token is stored, before anybody knows',
    world: 'refresh',
    plan: [{ site: 'instance vault.set', kind: 'crash-after' }],
  },
  {
    id: 'S50',
    title: 'the provider answers with a page of HTML, then with 503',
    world: 'refresh',
    plan: [
      { site: 'instance provider.token', kind: 'vendor-trouble', size: 0.6 },
      { site: 'instance provider.token', nth: 2, kind: 'vendor-trouble', size: 0 },
    ],
  },
  {
    id: 'S51',
    title: 'the vault is throttled',
    world: 'refresh',
    plan: nths('instance vault.latest', [1, 2, 3], { kind: 'unavailable' }),
  },
  {
    id: 'S54',
    title: 'one tenant wants far more than there is',
    world: 'limits',
    plan: [],
    sees: /light-0 calls/,
  },
  {
    id: 'S59',
    title:
      'one worker is behind the others by more than the store’s time leaves, another one ahead',
    world: 'inbound',
    plan: [
      { site: 'worker clock', kind: 'skew', size: 0 },
      { site: 'worker clock', nth: 3, kind: 'skew', size: 0.99 },
    ],
  },
  {
    id: 'S59',
    title: 'the clocks of instances that refresh differ',
    world: 'refresh',
    plan: [
      { site: 'instance clock', kind: 'skew', size: 0 },
      { site: 'instance clock', nth: 2, kind: 'skew', size: 0.99 },
    ],
  },
  {
    id: 'S59',
    title: 'the clocks of instances that share a quota differ by an hour',
    world: 'limits',
    plan: [{ site: 'instance clock', kind: 'skew', size: 0 }],
  },
  {
    id: 'S60',
    title: 'reads after a fail-over are stale',
    world: 'inbound',
    plan: ['tasks.get', 'shards.get', 'shards.getMany'].map((port) => ({
      site: `worker ${port}`,
      nth: 3,
      kind: 'stale' as const,
      size: 0.9,
    })),
  },
  {
    id: 'S60',
    title: 'reads of those who push are stale after a fail-over',
    world: 'ring',
    plan: [
      ...nths('outbound shards.query', [2, 3, 4], { kind: 'stale', size: 0.5 }),
      { site: 'outbound shards.get', nth: 3, kind: 'stale', size: 0.5 },
      { site: 'inbound shards.getMany', nth: 2, kind: 'stale', size: 0.5 },
    ],
  },
]
