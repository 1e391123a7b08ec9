import { createHmac } from 'node:crypto'
import type { Instance, Operation, RecordChange } from './instance.ts'
import type { Row } from './values.ts'

/** Of these the message carries the ones that the table has. The same list as in the business rule that we ship. */
const RECORD_FIELDS = [
  'sys_id',
  'number',
  'state',
  'priority',
  'impact',
  'urgency',
  'short_description',
  'description',
  'category',
  'subcategory',
  'assigned_to',
  'assignment_group',
  'caller_id',
  'opened_by',
  'opened_at',
  'resolved_at',
  'closed_at',
  'close_code',
  'active',
  'approval',
  'approver',
  'sysapproval',
  'document_id',
  'source_table',
  'correlation_id',
  'sys_created_on',
  'sys_created_by',
  'sys_updated_on',
  'sys_updated_by',
  'sys_mod_count',
]

const EVENT_WORDS: Readonly<Record<Operation, string>> = {
  insert: 'created',
  update: 'updated',
  delete: 'deleted',
}

export interface WebhookMessage {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Signing {
  readonly secret: string
  readonly functionKey?: string | undefined
}

/**
 * The request that the business rule posts: contract `servicenow-webhook`, and the headers of facts A6 besides.
 * The body is ASCII, so that no charset can change the signed bytes.
 */
export function buildMessage(
  change: RecordChange,
  instance: Instance,
  signing: Signing,
): WebhookMessage {
  const { table, operation, row, by } = change
  const nowMs = instance.nowMs()
  const record = recordOf(table, row, instance)
  const eventId = idOf(operation, record, signing)
  const body = toAscii({
    event_type: `${table}.${EVENT_WORDS[operation]}`,
    table,
    operation,
    record,
    user: userOf(by, instance),
    timestamp: new Date(nowMs).toISOString(),
    event_id: eventId,
  })
  const timestamp = String(Math.floor(nowMs / 1000))
  const key = signing.functionKey
  return {
    body,
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'x-functions-key': key }),
      'x-servicenow-signature': mac(signing.secret, body).toString('hex'),
      'x-snow-timestamp': timestamp,
      'x-snow-event-id': eventId,
      'x-snow-signature': `sha256=${mac(signing.secret, `${timestamp}.${eventId}.${body}`).toString('base64')}`,
    },
  }
}

/** The same for every attempt to tell one state. */
function idOf(operation: Operation, record: Row, { secret }: Signing): string {
  const id = `${record['sys_id'] ?? ''}:${record['sys_mod_count'] ?? ''}:${operation}`
  if (operation === 'delete') return id
  return `${id}:${mac(secret, toAscii(record)).toString('hex').slice(0, 16)}`
}

function mac(secret: string, data: string): Buffer {
  return createHmac('sha256', secret).update(data).digest()
}

/** An approval goes out with the number of what is to be approved, assigned to the one who is asked. */
function recordOf(table: string, row: Row, instance: Instance): Row {
  const columns = instance.tables.get(table)?.columns ?? {}
  const fields = RECORD_FIELDS.filter((name) => name in columns)
  const record = Object.fromEntries(fields.map((name) => [name, row[name] ?? '']))
  if (table !== 'sysapproval_approver') return record
  const subject = instance.find('task', row['sysapproval'] ?? '')
  return { ...record, number: subject?.['number'] ?? '', assigned_to: row['approver'] ?? '' }
}

function userOf(userName: string, instance: Instance): Row {
  const user = instance.userNamed(userName)
  return { sys_id: user?.['sys_id'] ?? '', name: user?.['name'] ?? userName }
}

function toAscii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
