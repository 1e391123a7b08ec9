import type { ServiceNowEvent } from './event.ts'

export interface Notification {
  readonly type: 'incident_assigned' | 'incident_updated' | 'approval_requested'
  readonly title: string
  readonly body: string
  readonly data: {
    readonly recordId: string
    readonly recordNumber: string
    readonly table: string
  }
}

export interface NotificationRule {
  readonly type: Notification['type']
  readonly table: string
  readonly operation: ServiceNowEvent['operation']
  /** Whether it speaks of this record; the first rule that does decides. */
  readonly applies: (record: ServiceNowEvent['record']) => boolean
  readonly title: (record: ServiceNowEvent['record']) => string
  readonly body: (record: ServiceNowEvent['record']) => string
  /** The table that the phone opens, where it is another. */
  readonly opens?: string
  /** Who is told, by sys_id. */
  readonly recipient: (record: ServiceNowEvent['record']) => string | undefined
}

const IN_PROGRESS = '2'

/** Who is told what about which change. */
export const notificationRules: readonly NotificationRule[] = [
  {
    type: 'incident_assigned',
    table: 'incident',
    operation: 'update',
    applies: ({ assigned_to, state }) => Boolean(assigned_to) && state === IN_PROGRESS,
    title: ({ number = '' }) => `Incident ${number} Assigned`,
    body: ({ short_description }) => cut(short_description, 100),
    recipient: assignee,
  },
  {
    type: 'incident_updated',
    table: 'incident',
    operation: 'update',
    applies: ({ priority }) => priority === '1' || priority === '2',
    title: ({ priority }) => `P${priority} Incident Updated`,
    body: ({ number = '', short_description }) => `${number}: ${cut(short_description, 80)}`,
    recipient: assignee,
  },
  {
    type: 'approval_requested',
    table: 'sysapproval_approver',
    operation: 'insert',
    applies: () => true,
    title: () => 'Approval Requested',
    body: ({ number = '' }) => `Change ${number} requires your approval`,
    opens: 'change_request',
    // On an approval the person asked stands in `approver`; some rules fill `assigned_to` as well.
    recipient: (record) => assignee(record) ?? (record.approver || undefined),
  },
]

export interface Addressed {
  readonly userId: string
  readonly notification: Notification
}

/** The notification that an event calls for, and for whom; undefined when it calls for none. */
export function notificationFor({
  table,
  operation,
  record,
}: ServiceNowEvent): Addressed | undefined {
  const rule = notificationRules.find(
    (one) => one.table === table && one.operation === operation && one.applies(record),
  )
  const userId = rule?.recipient(record)
  if (!rule || userId === undefined) return undefined
  return {
    userId,
    notification: {
      type: rule.type,
      title: rule.title(record),
      body: rule.body(record),
      data: {
        recordId: record.sys_id,
        recordNumber: record.number ?? '',
        table: rule.opens ?? table,
      },
    },
  }
}

/** The group that all of a person's devices are in. */
export function groupOf(userId: string): string {
  return `user-${userId}`
}

function assignee({ assigned_to }: ServiceNowEvent['record']): string | undefined {
  return assigned_to || undefined
}

/** The first characters as a person counts them: no half emoji. */
function cut(text: string | null | undefined, characters: number): string {
  return Array.from(text ?? '')
    .slice(0, characters)
    .join('')
}
