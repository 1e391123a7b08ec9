import { gzipSync } from 'node:zlib'
import { replayToken } from '../../../src/webhooks/replay.ts'
import { calling, type Sending } from '../../webhooks/receiver-world.ts'
import { between, START_MS } from '../world.ts'
import { houses, type House } from './gate-houses.ts'
import type { Keys } from './gate-operators.ts'
import { post, type Hope, type Made, type Posting, type Street } from './gate-post.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
export const LEAVE_SECRET = 'a-leave-of-operators'

export type Chance = (what: string) => number

/** A call as the sender of a house makes it, at its own address unless another is told. */
export function callAt(
  { id, scheme, secret }: House,
  body: string | Uint8Array,
  more: Sending = {},
): Made {
  const used = more.secret ?? secret
  return {
    call: calling(body, { scheme, secret: used, registrationId: id, ...more }),
    secret: used,
  }
}

/** What a business rule tells of a record. */
export function incident(id: string, more = ''): string {
  return (
    `{"event_type":"incident.updated","table":"incident","operation":"update","record":{"sys_id":"${id}",` +
    `"sys_updated_on":"2026-03-01 10:00:00","sys_mod_count":"3"${more}}}`
  )
}

interface Written {
  readonly what: string
  readonly body: (id: string) => string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Bodies that a parser and a writer would make other bytes of. */
const writings: readonly Written[] = [
  { what: 'a plain body', body: (id) => incident(id) },
  { what: 'a body with 1.0', body: (id) => incident(id, ',"weight":1.0') },
  {
    what: 'a body with escaped letters',
    body: (id) => incident(id, String.raw`,"title":"\u00e4\u2028\/\ud83d\ude00"`),
  },
  { what: 'a body with a key twice', body: (id) => incident(id, ',"title":"a","title":"b"') },
  { what: 'a body with 20 digits', body: (id) => incident(id, ',"sum":12345678901234567890') },
  { what: 'a body with a line end', body: (id) => `${incident(id)}\r\n` },
  {
    what: 'a body in gzip',
    body: (id) => gzipSync(incident(id)),
    headers: { 'content-encoding': 'gzip' },
  },
]

export interface Honest {
  readonly street: Street
  readonly keys: Keys
}

/** People's changes are told of in every way that a sender may tell, and each must be heard. */
export function playSenders({ street, keys }: Honest): void {
  const { sim } = street
  const count = between(sim.faults, 'changes', [2, 10])
  for (let index = 0; index < count; index += 1) {
    const label = `change ${index}`
    const chance: Chance = (what) => sim.faults.chance(`${label} ${what}`)
    const kind = kinds[Math.floor(chance('kind') * kinds.length)] ?? tell
    const atMs = START_MS + chance('at') * HOUR_MS * 0.9
    sim.act(atMs, `act ${label}`, () => kind({ street, keys }, { label, chance }))
  }
  if (sim.faults.chance('floods') < 0.4) flood(street)
  const things = between(sim.faults, 'things', [0, 2])
  for (let index = 0; index < things; index += 1) tellStatuses(street, `thing ${index}`)
}

interface Telling {
  readonly label: string
  readonly chance: Chance
}

type Kind = (honest: Honest, telling: Telling) => void

const tell: Kind = ({ street, keys }, { label, chance }) => {
  const {
    what,
    body,
    headers = {},
  } = writings[Math.floor(chance('writing') * writings.length)] ?? {
    what: '',
    body: incident,
  }
  const id = `row-${label.replace(' ', '-')}`
  const now = () => street.sim.date()
  const make = () =>
    callAt(houses.snow, body(id), { id: label, now: now(), headers, ...keys.now(chance('key')) })
  post(street, { label, what, house: houses.snow, make, hope: { kind: 'heard', records: [id] } })
}

/** Two deliveries of one change: ids differ, what they say does not. */
const tellTwice: Kind = ({ street, keys }, { label, chance }) => {
  const id = `row-${label.replace(' ', '-')}`
  const posting = (which: string): Posting => ({
    label: `${label} ${which}`,
    what: 'a change that another delivery tells as well',
    house: houses.snow,
    make: () =>
      callAt(houses.snow, incident(id), {
        id: `${label} ${which}`,
        now: street.sim.date(),
        ...keys.now(chance('key')),
      }),
    hope: { kind: 'heard', records: [id] },
  })
  post(street, posting('first'))
  const laterMs = chance('later') * (chance('soon') < 0.5 ? 100 : 600_000)
  street.sim.at(street.sim.now() + laterMs, () => post(street, posting('second')))
}

const tellMany: Kind = ({ street }, { label, chance }) => {
  const size = 2 + Math.floor(chance('size') * 12)
  const spoilt = Math.floor(chance('spoilt') * size)
  const ids = Array.from({ length: size }, (_, index) => `row-${label.replace(' ', '-')}-${index}`)
  const elements = ids.map((objectId, index) =>
    index === spoilt
      ? 'oops'
      : { subscriptionType: 'contact.propertyChange', objectId, occurredAt: 1, eventId: label },
  )
  const records = ids.filter((_, index) => index !== spoilt)
  post(street, {
    label,
    what: 'a batch with one malformed element',
    house: houses.hub,
    make: () => callAt(houses.hub, JSON.stringify(elements), { now: street.sim.date() }),
    hope: { kind: 'heard', records, spoilt: 1 },
  })
}

/** What an operator has delivered again a day later. */
const tellAgain: Kind = ({ street }, { label }) => {
  const { sim } = street
  const id = `row-${label.replace(' ', '-')}`
  const body = incident(id)
  const make = () => {
    const until = new Date(sim.now() + 600_000)
    const headers = {
      'x-syncline-replay': replayToken(LEAVE_SECRET, Buffer.from(body), until),
    }
    return callAt(houses.other, body, { id: label, now: new Date(sim.now() - DAY_MS), headers })
  }
  const hope: Hope = { kind: 'heard', records: [id], hasLeave: true }
  post(street, { label, what: 'a day-old event with a leave', house: houses.other, make, hope })
}

const tellOther: Kind = ({ street }, { label }) => {
  const id = `row-${label.replace(' ', '-')}`
  post(street, {
    label,
    what: 'a plain body',
    house: houses.other,
    make: () => callAt(houses.other, incident(id), { id: label, now: street.sim.date() }),
    hope: { kind: 'heard', records: [id] },
  })
}

const kinds: readonly Kind[] = [tell, tell, tell, tellTwice, tellMany, tellAgain, tellOther]

/** Fifty times what its registration may, in some seconds. */
function flood(street: Street): void {
  const { sim } = street
  const fromMs = START_MS + sim.faults.chance('flood at') * HOUR_MS * 0.8
  const count = between(sim.faults, 'flood size', [20, 50])
  for (let index = 0; index < count; index += 1) {
    const label = `flood ${index}`
    const records = [`row-flood-${index}`]
    sim.act(fromMs + sim.faults.chance(label) * 8_000, `act ${label}`, () =>
      post(street, {
        label,
        what: 'one of a flood',
        house: houses.flood,
        make: () =>
          callAt(houses.flood, incident(`row-flood-${index}`), { id: label, now: sim.date() }),
        hope: { kind: 'heard if there is room', records },
        tries: 3,
      }),
    )
  }
}

const statuses = ['sent', 'failed', 'delivered', 'read'] as const

/** What became of a message, told in any order and now and then together. */
function tellStatuses(street: Street, label: string): void {
  const { sim } = street
  const fromMs = START_MS + sim.faults.chance(`${label} at`) * HOUR_MS * 0.8
  const thing = `wamid-${label.replace(' ', '-')}`
  const told = statuses.filter((status) => sim.faults.chance(`${label} ${status}`) < 0.8)
  for (const status of told) {
    const isLate = sim.faults.chance(`${label} ${status} late`) < 0.3
    const atMs = sim.faults.chance(`${label} ${status} at`) * (isLate ? 300_000 : 400)
    const all = sim.faults.chance(`${label} ${status} with all`) < 0.2 ? told : [status]
    const elements = all.map((one) => ({ id: thing, status: one, timestamp: '1772359200' }))
    const change = { field: 'messages', value: { statuses: elements } }
    const body = JSON.stringify({ object: 'whatsapp', entry: [{ id: status, changes: [change] }] })
    sim.act(fromMs + atMs, `act ${label} ${status}`, () =>
      post(street, {
        label: `${label} ${status}`,
        what: `the status ${all.join(' and ')}`,
        house: houses.chat,
        make: () => callAt(houses.chat, body, { now: sim.date() }),
        hope: { kind: 'statuses', thing, ranks: all.map((one) => statuses.indexOf(one) + 1) },
      }),
    )
  }
}
