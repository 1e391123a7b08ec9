import {
  eventOf,
  malformed,
  notice,
  operationOf,
  textAt,
  unknownEvent,
  type Meaning,
  type Reader,
} from './meaning.ts'

/** Pub/Sub push: what was published stands in base64 in `message.data`; Gmail's watch and Workspace events come so. */
export const googlePubsub: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const data = textAt(body, 'message', 'data')
    const type = textAt(body, 'message', 'attributes', 'ce-type')
    const inner = data === undefined ? undefined : parse(data)
    const mailbox = textAt(inner, 'emailAddress')
    if (mailbox !== undefined) {
      return [
        eventOf({
          eventType: 'gmail.history',
          entityType: 'mailbox',
          externalId: mailbox,
          sourceVersion: textAt(inner, 'historyId'),
          content: inner,
        }),
      ]
    }
    return [type === undefined ? unknownEvent(undefined) : workspaceEvent(type, body)]
  },
}

/** `google.workspace.chat.message.v1.created`; the subject names the space or document (Workspace Events, payload). */
function workspaceEvent(type: string, body: unknown): Meaning {
  const parts = type.split('.')
  const entity = parts.filter((part) => !/^v\d/.test(part)).at(-2)
  return eventOf({
    eventType: type,
    entityType: entity,
    externalId: textAt(body, 'message', 'attributes', 'ce-subject'),
    operation: operationOf(type),
    sourceVersion: textAt(body, 'message', 'attributes', 'ce-time'),
    content: textAt(body, 'message', 'data'),
  })
}

function parse(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
  } catch {
    return undefined
  }
}

const CHANGED: ReadonlySet<string> = new Set([
  'exists',
  'not_exists',
  'add',
  'remove',
  'update',
  'trash',
  'untrash',
  'change',
])

/** Push channels say that something in a collection changed, never what: the collection is read from its sync token. */
export const googleChannel: Reader = {
  headers: ['x-goog-resource-state', 'x-goog-resource-id', 'x-goog-resource-uri', 'x-goog-changed'],
  toEvents: (headers) => {
    const state = headers['x-goog-resource-state']
    if (state === 'sync') return [notice('channel.sync')]
    if (state === undefined) return [malformed('a channel notification without its state')]
    if (!CHANGED.has(state)) return [unknownEvent(`channel.${state}`)]
    const entityType = collectionOf(headers['x-goog-resource-uri'] ?? '')
    const eventType = `channel.${state}`
    return [{ kind: 'resync', eventType, ...(entityType === undefined ? {} : { entityType }) }]
  },
}

/** `events` of `…/calendars/primary/events?alt=json`. */
function collectionOf(uri: string): string | undefined {
  return /\/(events|changes|files|users|calendarList|acl|settings)\b/.exec(uri)?.[1]
}
