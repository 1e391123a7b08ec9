import { at, eventOf, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

const PREFIX = 'zen:event-type:'

/** Event webhooks have a fixed envelope; those of triggers have whatever an administrator wrote, mostly a ticket's id. */
export const zendesk: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    if (type?.startsWith(PREFIX) === true) {
      const eventType = type.slice(PREFIX.length)
      const [, entity, id] = textAt(body, 'subject')?.split(':') ?? []
      return [
        eventOf({
          eventType,
          entityType: entity,
          externalId: id ?? textAt(body, 'detail', 'id'),
          operation: operationOf(eventType),
          sourceVersion: textAt(body, 'detail', 'updated_at'),
          content: [eventType, at(body, 'detail'), at(body, 'event')],
        }),
      ]
    }
    const ticket = textAt(body, 'ticket_id') ?? textAt(body, 'ticket', 'id')
    if (ticket === undefined) return [unknownEvent(type)]
    return [eventOf({ eventType: 'ticket.trigger', entityType: 'ticket', externalId: ticket })]
  },
}
