import {
  each,
  eventOf,
  listAt,
  notice,
  operationOf,
  textAt,
  type Meaning,
  type Reader,
} from './meaning.ts'

/** A list of changed records; an empty one is the check of intent. */
export const xero: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const events = listAt(body, 'events')
    return events.length === 0 ? [notice('intent-to-receive')] : each(events, readOne)
  },
}

function readOne(event: unknown): Meaning {
  const category = textAt(event, 'eventCategory')?.toLowerCase()
  const verb = textAt(event, 'eventType')?.toLowerCase() ?? 'update'
  return eventOf({
    eventType: `${category ?? 'record'}.${verb}`,
    entityType: category,
    externalId: textAt(event, 'resourceId'),
    operation: operationOf(`.${verb}`),
    sourceVersion: textAt(event, 'eventDateUtc'),
    content: event,
  })
}
