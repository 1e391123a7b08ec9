import { at, eventOf, notice, textAt, unknownEvent, type Meaning, type Reader } from './meaning.ts'

/** Envelope types that carry no event (Slack, Events API and interactivity). */
const envelopes: ReadonlySet<string> = new Set([
  'app_rate_limited',
  'block_actions',
  'block_suggestion',
  'interactive_message',
  'message_action',
  'shortcut',
  'url_verification',
  'view_closed',
  'view_submission',
])

/** How an event names its record. */
interface Rule {
  readonly entity: string
  readonly id: (event: unknown) => string | undefined
}

const channel: Rule = {
  entity: 'channel',
  id: (event) => textAt(event, 'channel', 'id') ?? textAt(event, 'channel'),
}
const user: Rule = {
  entity: 'user',
  id: (event) => textAt(event, 'user', 'id') ?? textAt(event, 'user'),
}
const file: Rule = {
  entity: 'file',
  id: (event) => textAt(event, 'file_id') ?? textAt(event, 'file', 'id'),
}
const message: Rule = { entity: 'message', id: messageId }

const rules: readonly (readonly [RegExp, Rule])[] = [
  [/^(?:message|app_mention)$/, message],
  [/^reaction_(?:added|removed)$/, { entity: 'message', id: (event) => idIn(at(event, 'item')) }],
  [/^(?:channel|group|im)_/, channel],
  [/^member_(?:joined|left)_channel$/, channel],
  [/^(?:team_join|user_)/, user],
  [/^file_/, file],
]

/**
 * Envelopes of the Events API. One change may come under several event ids (node-slack-sdk 2141): the same change is told
 * by channel and time stamp, which is also a message's id.
 */
export const slack: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    if (type === 'event_callback') return [readEvent(at(body, 'event'))]
    if (type !== undefined && envelopes.has(type)) return [notice(type)]
    if (textAt(body, 'command') !== undefined) return [notice('slash_command')]
    return [unknownEvent(type)]
  },
}

function readEvent(event: unknown): Meaning {
  const type = textAt(event, 'type')
  const found = rules.find(([pattern]) => pattern.test(type ?? ''))?.[1]
  if (type === undefined || found === undefined) return unknownEvent(type)
  const subtype = textAt(event, 'subtype')
  const eventType = subtype === undefined ? type : `${type}.${subtype}`
  return eventOf({
    eventType,
    entityType: found.entity,
    externalId: found.id(event),
    operation: operationOf(type, subtype),
    sourceVersion: textAt(event, 'event_ts') ?? textAt(event, 'ts'),
    content: event,
  })
}

function operationOf(type: string, subtype: string | undefined): 'create' | 'update' | 'delete' {
  if (subtype === 'message_deleted' || /^(?:channel|file|group)_deleted$/.test(type))
    return 'delete'
  if (type === 'message' && subtype !== 'message_changed') return 'create'
  return /^(?:channel|file)_created$|^team_join$|^app_mention$/.test(type) ? 'create' : 'update'
}

/** A changed or deleted message stands inside; its own channel is the envelope's. */
function messageId(event: unknown): string | undefined {
  const ts = textAt(event, 'message', 'ts') ?? textAt(event, 'deleted_ts') ?? textAt(event, 'ts')
  return joined(textAt(event, 'channel'), ts)
}

function idIn(item: unknown): string | undefined {
  return joined(textAt(item, 'channel'), textAt(item, 'ts'))
}

function joined(channelId: string | undefined, ts: string | undefined): string | undefined {
  return channelId === undefined || ts === undefined ? undefined : `${channelId}:${ts}`
}
