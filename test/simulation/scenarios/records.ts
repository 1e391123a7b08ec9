import type { PlannedFault } from '../faults.ts'
import type { Scenario } from './scripts.ts'

const crashes = (site: string, numbers: readonly number[]) =>
  numbers.map((nth): PlannedFault => ({ site, nth, kind: 'crash-after' }))

/** What becomes of records: read, missing, parked, pushed late, decided. */
export const recordScenarios: readonly Scenario[] = [
  {
    id: 'S24',
    title: 'what a vendor refused for a while is sent again by its reason, so many at a time',
    world: 'ring',
    plan: [],
    sees: /sends again [1-9]\d* of/,
  },
  {
    id: 'S24',
    title: 'the operator’s process dies while rows are sent again; poison rows come back',
    world: 'inbound',
    plan: crashes('operator queue.send', [1, 3]),
    sees: /sends again [1-9]\d* of/,
  },
  {
    id: 'S26',
    title: 'more rows share a time than a page holds, at a vendor that pages by time alone',
    world: 'census',
    plan: [],
    sees: /reports stream_stalled/,
  },
  {
    id: 'S30',
    title: 'pages hold fewer rows than were asked for',
    world: 'inbound',
    plan: [],
    sees: /no page holds more than/,
  },
  {
    id: 'S30',
    title: 'the list of deleted rows has forgotten a week that we were away',
    world: 'census',
    plan: [],
    sees: /has forgotten what was deleted/,
  },
  {
    id: 'S31',
    title: 'the list of what is there is empty',
    world: 'census',
    plan: [],
    sees: /lists nothing/,
  },
  {
    id: 'S31',
    title: 'the list of what is there has three rows of five, and somebody approves unseen',
    world: 'census',
    plan: [],
    sees: /lists three of five/,
  },
  {
    id: 'S31',
    title: 'a permission is taken away for a day',
    world: 'census',
    plan: [],
    sees: /a permission is taken away/,
  },
  {
    id: 'S32',
    title: 'rows are deleted and made again under their key',
    world: 'ring',
    plan: [],
    sees: /makes \S+ again under its key/,
  },
  {
    id: 'S34',
    title: 'a field is renamed while runs go on',
    world: 'inbound',
    plan: crashes('worker shards.write', [4, 9]),
    sees: /a field is renamed/,
  },
  {
    id: 'S34',
    title: 'the type of a field changes while runs go on, and is put back',
    world: 'inbound',
    plan: [],
    sees: /a field is retyped/,
  },
  {
    id: 'S35',
    title: 'the first pull goes on while the vendor tells of changes',
    world: 'inbound',
    plan: [],
    sees: /news \d+ of/,
  },
  {
    id: 'S35',
    title: 'the workers are replaced in the middle, by an older build',
    world: 'inbound',
    plan: crashes('worker shards.write', [2, 4, 6]),
    sees: /the old build is back/,
  },
  {
    id: 'S38',
    title: 'a record is created, changed and deleted within a second while a vendor is down',
    world: 'ring',
    plan: [],
    sees: /is done while a vendor is down/,
    seeds: 30,
  },
  {
    id: 'S39',
    title: 'children wait for their parents at no cost',
    world: 'family',
    plan: ['left', 'right'].flatMap((name) => crashes(`outbound ${name}.write`, [1])),
    sees: /waits for rec-/,
  },
  {
    id: 'S39',
    title: 'children of a parent that the vendor refuses share its reason',
    world: 'family',
    plan: [],
    sees: /refuses to create/,
  },
  {
    id: 'S40',
    title: 'the row has changed since it was read: it is merged, not written over',
    world: 'ring',
    plan: [],
    sees: /is another by now/,
  },
  {
    id: 'S44',
    title: 'both sides change a field within the tolerance of their clocks',
    world: 'ring',
    plan: [],
    sees: /within the tolerance/,
  },
  {
    id: 'S46',
    title: 'somebody decides about what has moved on, and is refused',
    world: 'ring',
    plan: [],
    sees: /is refused: /,
  },
]
