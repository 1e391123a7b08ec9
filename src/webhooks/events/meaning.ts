import type { JsonObject } from '../../core/canonical-json.ts'
import type { Rung } from '../standing.ts'
import type { Lifecycle } from '../subscription.ts'

export type Operation = 'create' | 'update' | 'delete'

/** A record on the other side that may differ from what we know. */
export interface VendorEvent {
  readonly kind: 'event'
  readonly eventType: string
  /** The vendor's own name of the kind of record, as its connector's streams have it. */
  readonly entityType: string
  readonly externalId: string
  readonly operation: Operation
  readonly changes?: JsonObject
  /** The vendor's version of the record: a stamp, a counter or a tag. */
  readonly sourceVersion?: string
  /** What makes this the same change when it comes in another delivery; the whole body where nothing is told. */
  readonly content?: unknown
  /** Where statuses of one thing come in any order: the one that this event tells, and how high it stands. */
  readonly rung?: Rung
}

/** What one element of a delivery says. */
export type Meaning =
  | VendorEvent
  /** Something was missed: everything of that kind (of every kind, where none is told) is to be read again. */
  | {
      readonly kind: 'resync'
      readonly eventType: string
      readonly entityType?: string
      readonly lifecycle?: Lifecycle
    }
  /** Known, and no record to read. */
  | { readonly kind: 'notice'; readonly eventType: string; readonly lifecycle?: Lifecycle }
  /** Nobody has said yet what it means. */
  | { readonly kind: 'unknown'; readonly eventType: string }
  | { readonly kind: 'malformed'; readonly reason: string }

export type Headers = Readonly<Record<string, string | undefined>>

/** How the deliveries of one vendor are read. */
export interface Reader {
  /** The headers that it looks at: they are kept with a delivery, and no others. */
  readonly headers: readonly string[]
  /** Pure. `body` is what JSON or a form says, the text of anything else, undefined when there is none. */
  readonly toEvents: (headers: Headers, body: unknown) => readonly Meaning[]
}

type Step = string | number

/** The value at a path; undefined where the path leaves the objects and lists. Inherited members are none. */
export function at(value: unknown, ...path: readonly Step[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = Reflect.get(here, step)
  }
  return here
}

/**
 * The text at a path. Whole numbers are texts as well, as far as they survived parsing: beyond 2^53 another record could be
 * meant.
 */
export function textAt(value: unknown, ...path: readonly Step[]): string | undefined {
  const found = at(value, ...path)
  if (typeof found === 'string') return found === '' ? undefined : found
  return typeof found === 'number' && Number.isSafeInteger(found) ? String(found) : undefined
}

export function listAt(value: unknown, ...path: readonly Step[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** Plain fields at a path, as far as they are an object. */
export function objectAt(value: unknown, ...path: readonly Step[]): JsonObject | undefined {
  const found = at(value, ...path)
  return typeof found === 'object' && found !== null && !Array.isArray(found)
    ? (found as JsonObject) // what JSON text holds
    : undefined
}

/** The entry of a table under a name that came from outside: inherited members are no entries. */
export function entryOf<T>(
  table: Readonly<Record<string, T>>,
  name: string | undefined,
): T | undefined {
  return name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined
}

export interface EventParts {
  readonly eventType: string
  readonly entityType: string | undefined
  readonly externalId: string | undefined
  readonly operation?: Operation | undefined
  readonly changes?: JsonObject | undefined
  readonly sourceVersion?: string | undefined
  readonly content?: unknown
  readonly rung?: Pick<Rung, 'status' | 'rank'>
}

const MAX_ID_LENGTH = 500
const MAX_NAME_LENGTH = 200

/** An event, or what is wrong with it. */
export function eventOf(parts: EventParts): Meaning {
  const { entityType, externalId, operation = 'update', changes, sourceVersion, content } = parts
  const { rung } = parts
  const eventType = parts.eventType.slice(0, MAX_NAME_LENGTH)
  if (!entityType || !externalId) {
    return malformed(`${eventType} names no record`)
  }
  if (externalId.length > MAX_ID_LENGTH || entityType.length > MAX_NAME_LENGTH) {
    return malformed(`${eventType} names a record by too long an id`)
  }
  return {
    kind: 'event',
    eventType,
    entityType,
    externalId,
    operation,
    ...(changes === undefined ? {} : { changes }),
    ...(sourceVersion === undefined
      ? {}
      : { sourceVersion: sourceVersion.slice(0, MAX_ID_LENGTH) }),
    ...(content === undefined ? {} : { content }),
    ...(rung === undefined ? {} : { rung: { entityType, externalId, ...rung } }),
  }
}

export function notice(eventType: string): Meaning {
  return { kind: 'notice', eventType: eventType.slice(0, MAX_NAME_LENGTH) }
}

export function unknownEvent(eventType: string | undefined): Meaning {
  return { kind: 'unknown', eventType: (eventType ?? 'unknown').slice(0, MAX_NAME_LENGTH) }
}

export function malformed(reason: string): Meaning {
  return { kind: 'malformed', reason }
}

/** Words for the three operations, whatever the grammar; what is none of them is a change. */
const words: readonly (readonly [RegExp, Operation])[] = [
  [/(?:^|[._:/\s-])(?:delet|remov|destroy|uninstall|expunge|trash|purg|archiv)\w*$/i, 'delete'],
  [/(?:^|[._:/\s-])(?:creat|add|insert|open|new|publish|submit|receiv|register)\w*$/i, 'create'],
]

/** What a verb at the end of a name such as `ticket.created` or `issue_deleted` does. */
export function operationOf(name: string): Operation {
  if (/(?:undelet|untrash|unarchiv|restor)\w*$/i.test(name)) return 'update'
  return words.find(([pattern]) => pattern.test(name))?.[1] ?? 'update'
}

/** The reader of bodies that are a list of elements, each read by itself. */
export function each(
  list: readonly unknown[],
  read: (element: unknown) => Meaning,
): readonly Meaning[] {
  return list.map((element) =>
    typeof element === 'object' && element !== null
      ? read(element)
      : malformed('an element is no object'),
  )
}
