import {
  entryOf,
  at,
  each,
  eventOf,
  listAt,
  malformed,
  notice,
  textAt,
  unknownEvent,
  type Meaning,
  type Reader,
} from './meaning.ts'

/**
 * What becomes of a message comes in any order: a status never takes back what a higher one said, and what failed stays
 * failed unless it was delivered (WhatsApp Cloud API, message statuses).
 */
const ranks: Readonly<Record<string, number>> = {
  sent: 1,
  failed: 2,
  delivered: 3,
  read: 4,
  played: 5,
}

/** Changes of an account that concern people, not records (webhook fields of WhatsApp, Pages and Instagram). */
const noticed =
  /^(?:account_|business_|calls$|flows$|history$|message_template_|payment_|phone_number_|security$|smb_|template_|tracking_events$|user_preferences$|messaging_|feed$|comments$|mentions$|partner_solutions$|automatic_events$|standby$|group_)/

/** Webhooks of the Graph API: entries with changes, each of a subscribed field. */
export const meta: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const entries = listAt(body, 'entry')
    if (entries.length === 0) return [unknownEvent(textAt(body, 'object'))]
    return entries.flatMap((entry) => {
      const changes = listAt(entry, 'changes')
      return changes.length > 0 ? changes.flatMap(readChange) : readMessaging(entry)
    })
  },
}

function readChange(change: unknown): readonly Meaning[] {
  const field = textAt(change, 'field')
  if (field === undefined) return [malformed('a change without its field')]
  if (field !== 'messages') return [noticed.test(field) ? notice(field) : unknownEvent(field)]
  const value = at(change, 'value')
  const found = [
    ...each(listAt(value, 'messages'), (message) => readMessage(message)),
    ...each(listAt(value, 'statuses'), (status) => readStatus(status)),
  ]
  if (found.length > 0) return found
  return [listAt(value, 'errors').length > 0 ? notice('messages.errors') : unknownEvent(field)]
}

function readMessage(message: unknown): Meaning {
  const type = textAt(message, 'type') ?? 'unknown'
  return eventOf({
    eventType: `message.${type}`,
    entityType: 'message',
    externalId: textAt(message, 'id'),
    operation: 'create',
    sourceVersion: textAt(message, 'timestamp'),
    content: message,
  })
}

function readStatus(status: unknown): Meaning {
  const word = textAt(status, 'status') ?? ''
  return eventOf({
    eventType: `message_status.${word}`,
    entityType: 'message',
    externalId: textAt(status, 'id'),
    changes: { status: word },
    rung: { status: word, rank: entryOf(ranks, word) ?? 0 },
    sourceVersion: `${entryOf(ranks, word) ?? 0}:${textAt(status, 'timestamp') ?? ''}`,
    content: [word, textAt(status, 'id')],
  })
}

/** Messenger and Instagram: no changes, but `messaging`. */
function readMessaging(entry: unknown): readonly Meaning[] {
  const found = each(listAt(entry, 'messaging'), (element) => {
    const id = textAt(element, 'message', 'mid')
    if (id === undefined) return notice('messaging')
    return eventOf({
      eventType: 'message',
      entityType: 'message',
      externalId: id,
      operation: 'create',
      content: element,
    })
  })
  return found.length > 0 ? found : [unknownEvent('entry')]
}
