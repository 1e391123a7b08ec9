import { hash } from 'node:crypto'
import { weigh } from '../core/collection.ts'
import { idOf } from '../core/ids.ts'
import { addMs } from '../core/time.ts'
import type { HandOver } from './delivery.ts'
import type { Meaning, VendorEvent } from './events/meaning.ts'
import type { Registration } from './registration.ts'

/** A task that keeps records of one kind in step. */
export interface SyncTarget {
  readonly taskId: string
  readonly entityType: string
  readonly integrationId: string
  readonly syncMode: string
  readonly priority: string
}

export interface HandOverContext {
  readonly registration: Registration
  readonly targets: readonly SyncTarget[]
  /** Id of the delivery's record. */
  readonly deliveryId: string
  /** Whether the sender gave the delivery an id of its own. */
  readonly isIdentified: boolean
  /** Hash of the raw bytes. */
  readonly digest: string
  readonly now: Date
}

/** Events without id and version that come within one such span become one message, sent after it. */
const SPAN_MS = 1_000
/** A message of the bus holds 256 kB with its headers and the rest of its body (Service Bus quotas, standard tier). */
const MAX_CHANGES_BYTES = 192 * 1024
/** Instances' clocks differ by less. */
const MARGIN_MS = 500

/**
 * The messages that a delivery's events call for; none for events that nobody keeps in step. Of several events of one
 * record one message is made, for the worker reads the record as it is then. Ids follow from what changed, so that the
 * bus drops what came before in this or another delivery:
 * - with a version, from record, version and content: the same change in two deliveries is one message;
 * - without, from the delivery;
 * - with neither, from the span of time, and the message waits for its end: a change that came within it is not lost.
 * Throws on contents nested deeper than the stack.
 */
export function handOversFor(
  meanings: readonly Meaning[],
  context: HandOverContext,
): readonly HandOver[] {
  const wanted = meanings.filter((meaning) => isWanted(meaning, context.registration))
  if (context.registration.forward === 'outbound') {
    return wanted.flatMap((meaning, index) =>
      meaning.kind === 'event' ? [toOutbound(meaning, index, context)] : [],
    )
  }
  const pulls = [...groupsOf(wanted).values()].flatMap((events) => toPull(events, context))
  const resyncs = wanted.flatMap((meaning) =>
    meaning.kind === 'resync' ? toResyncs(meaning.entityType, context) : [],
  )
  return [...pulls, ...resyncs]
}

/** Where the registration names event types, the others are only noted. */
function isWanted(meaning: Meaning, { events }: Registration): boolean {
  if (meaning.kind !== 'event') return meaning.kind === 'resync'
  return events === undefined || events.length === 0 || events.includes(meaning.eventType)
}

type Group = readonly [VendorEvent, ...VendorEvent[]]

function groupsOf(meanings: readonly Meaning[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>()
  for (const meaning of meanings) {
    if (meaning.kind !== 'event') continue
    const key = `${meaning.entityType.length}:${meaning.entityType}${meaning.externalId}`
    const group = groups.get(key)
    groups.set(key, group === undefined ? [meaning] : [...group, meaning])
  }
  return groups
}

function toPull(events: Group, context: HandOverContext): readonly HandOver[] {
  const [{ entityType, externalId }] = events
  const target = context.targets.find((one) => one.entityType === entityType)
  if (target === undefined) return []
  const isDelete = events.some(({ operation }) => operation === 'delete')
  const operation = isDelete ? 'delete' : (events.at(-1)?.operation ?? 'update')
  const record = { entityType, externalId, operation }
  return [
    {
      queue: 'inbound',
      message: { ...identityOf(events, context), ...bodyOf(target, record, context) },
      ...rungsOf(events),
    },
  ]
}

/** Nothing where one of the events is no rung: it is worth telling in any case. */
function rungsOf(events: readonly VendorEvent[]): Pick<HandOver, 'rungs'> {
  const rungs = events.flatMap(({ rung }) => rung ?? [])
  return rungs.length === events.length ? { rungs } : {}
}

function identityOf(events: Group, context: HandOverContext) {
  const { registration, deliveryId, isIdentified, digest, now } = context
  const [{ entityType, externalId }] = events
  const record = [registration.tenantId, registration.connectionId, entityType, externalId]
  if (events.every(({ sourceVersion }) => sourceVersion !== undefined)) {
    const versions = events.flatMap((event) => [
      event.sourceVersion ?? '',
      fingerprint(event, digest),
    ])
    return { id: idOf('event', ...record, ...versions) }
  }
  if (isIdentified) return { id: idOf('event', deliveryId, ...record) }
  const span = Math.floor(now.getTime() / SPAN_MS)
  return {
    id: idOf('event', ...record, digest, String(span)),
    notBefore: addMs(new Date((span + 1) * SPAN_MS), MARGIN_MS),
  }
}

function fingerprint({ content }: VendorEvent, digest: string): string {
  if (content === undefined) return digest
  return hash('sha256', JSON.stringify(content), 'base64url')
}

type ResyncContext = Pick<HandOverContext, 'registration' | 'targets' | 'deliveryId' | 'now'>

/** Has everything of that kind read again, or of every kind. */
export function toResyncs(
  entityType: string | undefined,
  context: ResyncContext,
): readonly HandOver[] {
  return context.targets
    .filter((target) => entityType === undefined || target.entityType === entityType)
    .map((target) => ({
      queue: 'inbound',
      message: {
        id: idOf('resync', context.deliveryId, target.taskId),
        ...bodyOf(target, { entityType: target.entityType }, context),
      },
    }))
}

function bodyOf(target: SyncTarget, record: object, context: ResyncContext) {
  const { registration, deliveryId, now } = context
  const { taskId, integrationId, syncMode, priority } = target
  return {
    correlationId: deliveryId,
    body: {
      integrationId,
      tenantId: registration.tenantId,
      connectionId: registration.connectionId,
      syncMode,
      priority,
      correlationId: deliveryId,
      enqueuedAt: now.toISOString(),
      taskId,
      record,
    },
  }
}

function toOutbound(event: VendorEvent, index: number, context: HandOverContext): HandOver {
  const { registration, deliveryId, now } = context
  const { tenantId, connectionId, integrationId } = registration
  const { changes = {} } = event
  const isCut = weigh(changes) > MAX_CHANGES_BYTES
  const body = {
    integrationId,
    tenantId,
    connectionId,
    entityType: event.entityType,
    entityId: event.externalId,
    externalId: event.externalId,
    operation: event.operation,
    changes: isCut ? {} : changes,
    correlationId: deliveryId,
    enqueuedAt: now.toISOString(),
  }
  const id = idOf('event', deliveryId, event.entityType, event.externalId, String(index))
  const message = { id, correlationId: deliveryId, body }
  return { queue: 'outbound', message, ...(isCut ? { isCut } : {}), ...rungsOf([event]) }
}

/** The span of time that stands for an id where the sender gives none. */
export function spanOf(now: Date): string {
  return String(Math.floor(now.getTime() / SPAN_MS))
}
