import { contentOf } from './content.ts'
import type { HandOver, Quarantined } from './delivery.ts'
import { readerFor } from './events/index.ts'
import { malformed, type Headers, type Meaning } from './events/meaning.ts'
import { handOversFor, type SyncTarget } from './hand-over.ts'
import { keptHeaders } from './retained.ts'
import type { Registration } from './registration.ts'
import type { Rung } from './standing.ts'
import type { Lifecycle } from './subscription.ts'

/** A delivery of more elements is kept unread. */
const MAX_ELEMENTS = 1_000
/** What a record tells of the elements that nobody could use. */
const MAX_QUARANTINED = 100

/** Of one subscription there is one to say. */
const MAX_LIFECYCLES = 10

export interface Interpretation {
  readonly handOvers: readonly HandOver[]
  readonly quarantine: readonly Quarantined[]
  readonly headers: Readonly<Record<string, string>>
  readonly elements: number
  readonly eventType: string | null
  readonly entityId: string | null
  readonly rungs: readonly Rung[]
  /** What it says of its subscription. */
  readonly lifecycles: readonly Lifecycle[]
  /** Why the body as a whole could not be read. */
  readonly unreadable?: string
}

export interface Readable {
  readonly registration: Registration
  readonly targets: readonly SyncTarget[]
  readonly headers: Headers
  readonly rawBody: Uint8Array
  /** Hash of the raw bytes. */
  readonly digest: string
  readonly deliveryId: string
  readonly isIdentified: boolean
  readonly now: Date
}

/** What a delivery says and what is to be done about it. Pure, and never throws, whatever the body. */
export function interpret(readable: Readable): Interpretation {
  const { registration, headers, rawBody } = readable
  const reader = readerFor(registration.scheme, registration.integrationId)
  const content = contentOf(headers, rawBody, registration.maxBodyBytes)
  const kept = keptHeaders(reader, headers)
  if (content.kind === 'unreadable') {
    return { ...unusable(content.reason), headers: kept, unreadable: content.reason }
  }
  try {
    const meanings = reader.toEvents(headers, content.body)
    if (meanings.length > MAX_ELEMENTS) {
      return { ...unusable(`${meanings.length} elements are too many`), headers: kept }
    }
    return { ...summaryOf(meanings), handOvers: handOversFor(meanings, readable), headers: kept }
  } catch {
    // Nothing that a reader does with JSON throws, except that its nesting may be deeper than the stack.
    return { ...unusable('it could not be read'), headers: kept }
  }
}

function unusable(reason: string) {
  return { ...summaryOf([malformed(reason)]), handOvers: [] }
}

function summaryOf(meanings: readonly Meaning[]) {
  const named = meanings.find(({ kind }) => kind !== 'malformed')
  const event = meanings.find((meaning) => meaning.kind === 'event')
  return {
    elements: meanings.length,
    eventType: event?.eventType ?? (named && 'eventType' in named ? named.eventType : null),
    entityId: event?.externalId ?? null,
    quarantine: meanings.flatMap(quarantined).slice(0, MAX_QUARANTINED),
    rungs: meanings.flatMap((meaning) => (meaning.kind === 'event' ? (meaning.rung ?? []) : [])),
    lifecycles: meanings
      .flatMap((meaning) =>
        'lifecycle' in meaning && meaning.lifecycle ? [meaning.lifecycle] : [],
      )
      .slice(0, MAX_LIFECYCLES),
  }
}

function quarantined(meaning: Meaning, index: number): readonly Quarantined[] {
  switch (meaning.kind) {
    case 'malformed':
      return [{ index, eventType: null, reason: meaning.reason }]
    case 'unknown':
      return [{ index, eventType: meaning.eventType, reason: 'unknown event' }]
    case 'event':
    case 'notice':
    case 'resync':
      return []
  }
}
