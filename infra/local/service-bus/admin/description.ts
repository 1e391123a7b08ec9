import type { Entity } from '../broker.ts'
import type { QueueDeclaration } from '../declaration.ts'
import { countsOf } from '../inspect.ts'
import { formatDuration, parseDuration } from './duration.ts'

/** Elements of a queue description by name, their text still escaped as it came. */
export type Fields = ReadonlyMap<string, string>

/** Elements of a description that has only text in them; authorization rules, which nothing enforces, are skipped. */
export function readFields(xml: string): Fields {
  const [, inside = ''] = /<QueueDescription[^>]*>([\s\S]*)<\/QueueDescription>/.exec(xml) ?? []
  const flat = inside.replace(/<AuthorizationRules[\s\S]*<\/AuthorizationRules>/, '')
  return new Map(
    [...flat.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** A description that cannot be: what is wrong with it. */
export interface Problem {
  readonly problem: string
}

const LONGEST_LOCK_SECONDS = 300

/** The queue that the fields describe, over `present` where they say nothing. */
export function declarationFrom(
  fields: Fields,
  present: QueueDeclaration,
): QueueDeclaration | Problem {
  for (const name of ['ForwardTo', 'ForwardDeadLetteredMessagesTo']) {
    if (fields.get(name)) return { problem: `${name} is not emulated.` }
  }
  const duration = (name: string, fallback: number) => {
    const text = fields.get(name)
    return text === undefined ? fallback : (parseDuration(text) ?? Number.NaN)
  }
  const flag = (name: string, fallback: boolean) => {
    const text = fields.get(name)
    return text === undefined ? fallback : text.toLowerCase() === 'true'
  }
  const detects = flag('RequiresDuplicateDetection', present.duplicateDetectionWindowSeconds > 0)
  const windowSeconds = present.duplicateDetectionWindowSeconds || DEFAULT_WINDOW_SECONDS
  const declaration: QueueDeclaration = {
    name: present.name,
    lockDurationSeconds: duration('LockDuration', present.lockDurationSeconds),
    maxDeliveryCount: Number(fields.get('MaxDeliveryCount') ?? present.maxDeliveryCount),
    defaultTimeToLiveSeconds: duration(
      'DefaultMessageTimeToLive',
      present.defaultTimeToLiveSeconds,
    ),
    deadLetterOnExpiration: flag(
      'DeadLetteringOnMessageExpiration',
      present.deadLetterOnExpiration,
    ),
    duplicateDetectionWindowSeconds: detects
      ? duration('DuplicateDetectionHistoryTimeWindow', windowSeconds)
      : 0,
    requiresSession: flag('RequiresSession', present.requiresSession),
  }
  const problem = problemOf(declaration)
  return problem === undefined ? declaration : { problem }
}

function problemOf(declaration: QueueDeclaration): string | undefined {
  const { lockDurationSeconds, maxDeliveryCount, defaultTimeToLiveSeconds } = declaration
  if (!(lockDurationSeconds > 0 && lockDurationSeconds <= LONGEST_LOCK_SECONDS)) {
    return `LockDuration is an ISO 8601 duration of at most ${LONGEST_LOCK_SECONDS} seconds.`
  }
  if (!(Number.isInteger(maxDeliveryCount) && maxDeliveryCount >= 1)) {
    return 'MaxDeliveryCount is a whole number from 1.'
  }
  if (!(defaultTimeToLiveSeconds > 0)) return 'DefaultMessageTimeToLive is an ISO 8601 duration.'
  if (!(declaration.duplicateDetectionWindowSeconds >= 0)) {
    return 'DuplicateDetectionHistoryTimeWindow is an ISO 8601 duration.'
  }
  return undefined
}

const DEFAULT_WINDOW_SECONDS = 600

/** What the service gives a queue whose creator says nothing. */
export function defaultDeclaration(name: string): QueueDeclaration {
  return {
    name,
    lockDurationSeconds: 60,
    maxDeliveryCount: 10,
    defaultTimeToLiveSeconds: Infinity,
    deadLetterOnExpiration: false,
    duplicateDetectionWindowSeconds: 0,
    requiresSession: false,
  }
}

const COUNTS_NAMESPACE = 'http://schemas.microsoft.com/netservices/2011/06/servicebus'

/** The elements of a queue's description in the order of the service; `kept` holds what its creator said besides. */
export function describe(entity: Entity, kept: Fields): string {
  const { declaration } = entity
  const counts = countsOf(entity)
  const windowSeconds = declaration.duplicateDetectionWindowSeconds
  const details = [
    ['ActiveMessageCount', counts.active + counts.deferred],
    ['DeadLetterMessageCount', counts.deadLettered],
    ['ScheduledMessageCount', counts.scheduled],
    ['TransferMessageCount', 0],
    ['TransferDeadLetterMessageCount', 0],
  ]
  const total = counts.active + counts.deferred + counts.scheduled + counts.deadLettered
  const own: readonly (readonly [string, string | number | boolean])[] = [
    ['LockDuration', formatDuration(declaration.lockDurationSeconds)],
    ['MaxSizeInMegabytes', kept.get('MaxSizeInMegabytes') ?? 1024],
    ['RequiresDuplicateDetection', windowSeconds > 0],
    ['RequiresSession', declaration.requiresSession],
    ['DefaultMessageTimeToLive', formatDuration(declaration.defaultTimeToLiveSeconds)],
    ['DeadLetteringOnMessageExpiration', declaration.deadLetterOnExpiration],
    [
      'DuplicateDetectionHistoryTimeWindow',
      formatDuration(windowSeconds || DEFAULT_WINDOW_SECONDS),
    ],
    ['MaxDeliveryCount', declaration.maxDeliveryCount],
    ['EnableBatchedOperations', kept.get('EnableBatchedOperations') ?? true],
    ['SizeInBytes', counts.bytes],
    ['MessageCount', total],
    ['Status', kept.get('Status') ?? 'Active'],
    ['CreatedAt', new Date(entity.createdMs).toISOString()],
    ['UpdatedAt', new Date(entity.updatedMs).toISOString()],
    ['AccessedAt', new Date(entity.updatedMs).toISOString()],
    ['UserMetadata', kept.get('UserMetadata') ?? ''],
    ['AutoDeleteOnIdle', kept.get('AutoDeleteOnIdle') ?? formatDuration(Infinity)],
    ['EnablePartitioning', kept.get('EnablePartitioning') ?? false],
    ['EntityAvailabilityStatus', 'Available'],
    ['EnableExpress', kept.get('EnableExpress') ?? false],
  ]
  const inner = details.map(([name, value]) => `<c:${name}>${value}</c:${name}>`).join('')
  return [
    ...own.map(([name, value]) => (value === '' ? '' : `<${name}>${value}</${name}>`)),
    `<CountDetails xmlns:c="${COUNTS_NAMESPACE}">${inner}</CountDetails>`,
  ].join('')
}
