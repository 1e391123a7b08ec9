import { createHmac } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { replayToken } from '../../../src/webhooks/replay.ts'
import { schemeNamed } from '../../../src/webhooks/schemes.ts'
import { incoming } from '../../webhooks/receiver-world.ts'
import { between, START_MS } from '../world.ts'
import { houses, MOST_BODY_BYTES, VERIFY_TOKEN, type House } from './gate-houses.ts'
import type { Hope, Made, Posting, Street } from './gate-post.ts'
import { post } from './gate-post.ts'
import { callAt, incident, LEAVE_SECRET, type Chance } from './gate-senders.ts'

const HOUR_MS = 3_600_000
const XSS = '<script>alert(1)</script>'
const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

interface Asking {
  readonly label: string
  readonly chance: Chance
  readonly now: () => Date
}

type Ask = (asking: Asking) => Omit<Posting, 'label'>

/** Whoever may call an address that everybody can know. */
export function playStrangers(street: Street): void {
  const { sim } = street
  const count = between(sim.faults, 'strangers', [3, 16])
  for (let index = 0; index < count; index += 1) {
    const label = `stranger ${index}`
    const chance: Chance = (what) => sim.faults.chance(`${label} ${what}`)
    const ask = asks[Math.floor(chance('ask') * asks.length)] ?? forge
    sim.act(START_MS + chance('at') * HOUR_MS, `act ${label}`, () =>
      post(street, { label, ...ask({ label, chance, now: sim.date }) }),
    )
  }
}

function pickOf<T>(list: readonly [T, ...T[]], chance: number): T {
  return list[Math.floor(chance * list.length)] ?? list[0]
}

const old = (label: string) => `old-${label.replace(' ', '-')}`
const forged = (label: string) => `forged-${label.replace(' ', '-')}`
const bodyAt = ({ scheme }: House, id: string) =>
  scheme === 'hubspot-v3'
    ? JSON.stringify([{ subscriptionType: 'contact.creation', objectId: id, occurredAt: 1 }])
    : incident(id)

interface Mutation {
  readonly what: string
  readonly mutate: (value: string, prefix: string) => string | undefined
}

const mutations: readonly [Mutation, ...Mutation[]] = [
  { what: 'no signature', mutate: () => undefined },
  { what: 'an empty signature', mutate: () => '' },
  { what: 'a short signature', mutate: (value, { length }) => value.slice(0, length + 8) },
  {
    what: 'a signature of other signs',
    mutate: (value, prefix) => prefix + '!'.repeat(value.length - prefix.length),
  },
  {
    what: 'a signature with another prefix',
    mutate: (value, prefix) =>
      prefix === '' ? `sha256=${value}` : value.replace(prefix, prefix === 'v0=' ? 'v1=' : ''),
  },
  {
    what: 'a signature in upper case',
    mutate: (value, { length }) => value.slice(0, length) + value.slice(length).toUpperCase(),
  },
  { what: 'a signature twice', mutate: (value) => `${value}, ${value}` },
  { what: 'a signature and more', mutate: (value) => value + 'A'.repeat(5_000) },
  {
    what: 'a signature one letter off',
    mutate: (value) => value.replace(/([A-Za-z0-9])(=*)$/, (_, last, end) => flip(last) + end),
  },
]

const flip = (letter: string) => (letter === '0' ? '1' : '0')

/** Signed as it should be, and then the header is spoilt. */
const forge: Ask = ({ label, chance, now }) => {
  const house = pickOf<House>([houses.snow, houses.hub, houses.chat, houses.slack], chance('house'))
  const { what, mutate } = pickOf(mutations, chance('mutation'))
  const scheme = schemeNamed(house.scheme)
  const { header, prefix = '' } = scheme?.kind === 'signed' ? scheme.signature : { header: '' }
  const make = (): Made => {
    const made = callAt(house, bodyAt(house, forged(label)), { id: label, now: now() })
    const signature = mutate(made.call.headers[header] ?? '', prefix)
    return {
      ...made,
      call: { ...made.call, headers: { ...made.call.headers, [header]: signature } },
    }
  }
  return { what, house, make, hope: { kind: 'refused' } }
}

/** What one tenant's sender has signed, at the address of another. */
const cross: Ask = ({ label, now }) => ({
  what: 'a signature of another tenant',
  house: houses.snow,
  make: () =>
    callAt(houses.snow, incident(`foreign-${label.replace(' ', '-')}`), {
      id: label,
      now: now(),
      secret: houses.other.secret,
    }),
  hope: { kind: 'refused' },
})

/** A stamp that is true and ten minutes off, or in another unit. */
const mistime: Ask = ({ label, chance, now }) => {
  const house = pickOf<House>([houses.other, houses.hub], chance('house'))
  const offMs = chance('ahead') < 0.5 ? 600_000 : -600_000
  const isUnit = chance('unit') < 0.3
  const header = house === houses.hub ? 'x-hubspot-request-timestamp' : 'x-snow-timestamp'
  const make = (): Made => {
    const shifted = new Date(now().getTime() + (isUnit ? 0 : offMs))
    const made = callAt(house, bodyAt(house, isUnit ? forged(label) : old(label)), {
      id: label,
      now: shifted,
    })
    if (!isUnit) return made
    const ms = now().getTime()
    const other = house === houses.hub ? Math.floor(ms / 1_000) : ms
    const headers = { ...made.call.headers, [header]: String(other) }
    return { ...made, call: { ...made.call, headers } }
  }
  const what = isUnit ? 'a stamp in another unit' : `a stamp ${offMs / 60_000} minutes off`
  const hope: Hope = isUnit ? { kind: 'refused' } : { kind: 'refused', offMs }
  return { what, house, make, hope }
}

/** An old event with a leave for another body, or one that is over. */
const relive: Ask = ({ label, chance, now }) => {
  const isOver = chance('over') < 0.5
  const body = incident(isOver ? old(label) : forged(label))
  const make = (): Made => {
    const until = new Date(now().getTime() + (isOver ? -600_000 : 600_000))
    const token = replayToken(LEAVE_SECRET, Buffer.from(isOver ? body : `${body} `), until)
    const before = new Date(now().getTime() - 24 * HOUR_MS)
    return callAt(houses.other, body, {
      id: label,
      now: before,
      headers: { 'x-syncline-replay': token },
    })
  }
  const what = isOver ? 'a leave that is over' : 'a leave for another body'
  const hope: Hope = isOver ? { kind: 'refused', offMs: -600_000 } : { kind: 'refused' }
  return { what, house: houses.other, make, hope }
}

const BOMB = gzipSync(Buffer.alloc(2 * 1024 * 1024))

interface Monster {
  readonly what: string
  readonly body: () => Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly isLarge?: true
}

const monsters: readonly [Monster, ...Monster[]] = [
  {
    what: 'a body larger than it may be',
    body: () => Buffer.alloc(3 * MOST_BODY_BYTES, 'x'),
    headers: { 'content-length': String(3 * MOST_BODY_BYTES) },
    isLarge: true,
  },
  {
    what: 'a large body that tells no length',
    body: () => Buffer.alloc(10 * MOST_BODY_BYTES, 'x'),
    isLarge: true,
  },
  { what: 'a bomb in gzip', body: () => BOMB, headers: { 'content-encoding': 'gzip' } },
  { what: 'a thousand and one elements', body: () => Buffer.from(`[${'{},'.repeat(1_000)}{}]`) },
  {
    what: 'a nest',
    body: () => Buffer.from('['.repeat(15_000) + ']'.repeat(15_000)),
  },
  {
    what: 'an event around a nest',
    body: () =>
      Buffer.from(incident('forged-nest', `,"x":${'['.repeat(15_000)}${']'.repeat(15_000)}`)),
  },
  { what: 'no UTF-8', body: () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) },
  { what: 'an event of nobody', body: () => Buffer.from('{"__proto__":{"operation":"update"}}') },
]

/** Properly signed, by a sender that means us ill or is broken. */
const overwhelm: Ask = ({ label, chance, now }) => {
  const { what, body, headers = {}, isLarge } = pickOf(monsters, chance('monster'))
  return {
    what,
    house: houses.other,
    make: () => callAt(houses.other, body(), { id: label, now: now(), headers }),
    hope: { kind: isLarge ? 'too large' : 'quarantined' },
  }
}

interface Greeting {
  readonly what: string
  readonly house: House
  readonly make: (now: Date) => Made
  readonly hope: Hope
}

const greeting = (house: House, what: string, hope: Hope) => ({ house, what, hope })
const away: Hope = { kind: 'turned away' }
const slackBody = (challenge: string) => JSON.stringify({ type: 'url_verification', challenge })
const zoomBody = (plainToken: string) =>
  JSON.stringify({ event: 'endpoint.url_validation', payload: { plainToken } })
const queried = ({ id }: House, method: string, query: string): Made => ({
  call: incoming(Buffer.alloc(0), {
    registrationId: id,
    method,
    target: `/webhooks/${id}/events?${query}`,
  }),
})
const metaQuery = (token: string) =>
  `hub.mode=subscribe&hub.challenge=${encodeURIComponent(XSS)}&hub.verify_token=${token}`
const mac = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest()

const greetings: readonly [Greeting, ...Greeting[]] = [
  {
    ...greeting(houses.slack, 'a challenge', { kind: 'greeted', type: TEXT, body: XSS }),
    make: (now) => callAt(houses.slack, slackBody(XSS), { now }),
  },
  {
    ...greeting(houses.slack, 'a challenge of nobody', away),
    make: (now) => callAt(houses.slack, slackBody('3eZb'), { now, secret: 'a guess at it' }),
  },
  {
    ...greeting(houses.slack, 'too long a challenge', away),
    make: (now) => callAt(houses.slack, slackBody('x'.repeat(2_000)), { now }),
  },
  {
    ...greeting(houses.graph, 'a validation token', { kind: 'greeted', type: TEXT, body: XSS }),
    make: () => queried(houses.graph, 'POST', `validationToken=${encodeURIComponent(XSS)}`),
  },
  {
    ...greeting(houses.graph, 'too long a validation token', away),
    make: () => queried(houses.graph, 'POST', `validationToken=${'x'.repeat(2_000)}`),
  },
  {
    ...greeting(houses.chat, 'a verify token', { kind: 'greeted', type: TEXT, body: XSS }),
    make: () => queried(houses.chat, 'GET', metaQuery(VERIFY_TOKEN)),
  },
  {
    ...greeting(houses.chat, 'a wrong verify token', away),
    make: () => queried(houses.chat, 'GET', metaQuery('guess')),
  },
  {
    ...greeting(houses.zoom, 'a token to be signed', {
      kind: 'greeted',
      type: JSON_TYPE,
      body: JSON.stringify({
        plainToken: 'qgg8',
        encryptedToken: mac(houses.zoom.secret, 'qgg8').toString('hex'),
      }),
    }),
    make: (now) => callAt(houses.zoom, zoomBody('qgg8'), { now }),
  },
  {
    ...greeting(houses.zoom, 'a delivery to be signed as a token', away),
    make: (now) => callAt(houses.zoom, zoomBody('v0:1:{"event":"x"}'), { now }),
  },
  {
    ...greeting(houses.twitter, 'a challenge-response check', {
      kind: 'greeted',
      type: JSON_TYPE,
      body: JSON.stringify({
        response_token: `sha256=${mac(houses.twitter.secret, 'qgg8').toString('base64')}`,
      }),
    }),
    make: () => queried(houses.twitter, 'GET', 'crc_token=qgg8'),
  },
  {
    ...greeting(houses.twitter, 'a check of markup', away),
    make: () => queried(houses.twitter, 'GET', `crc_token=${encodeURIComponent(XSS)}`),
  },
]

const greet: Ask = ({ chance, now }) => {
  const { make, ...rest } = pickOf(greetings, chance('greeting'))
  return { ...rest, make: () => make(now()) }
}

/** The same handshakes where nobody is registered. */
const greetNobody: Ask = ({ chance, now }) => {
  const { make, what, house } = pickOf(greetings, chance('greeting'))
  return {
    what: `${what} for nobody`,
    house,
    make: () => {
      const { call } = make(now())
      return { call: { ...call, registrationId: 'reg-nobody' } }
    },
    hope: { kind: 'unknown' },
  }
}

const asks: readonly Ask[] = [
  forge,
  forge,
  cross,
  mistime,
  relive,
  overwhelm,
  overwhelm,
  greet,
  greet,
  greetNobody,
]
