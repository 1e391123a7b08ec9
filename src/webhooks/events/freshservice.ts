import { at, eventOf, objectAt, textAt, unknownEvent, type Reader } from './meaning.ts'

/** Workflow Automator: the body is an administrator's template; the standard one has `freshdesk_webhook`. */
export const freshservice: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const inner = objectAt(body, 'freshdesk_webhook') ?? body
    const id = textAt(inner, 'ticket_id') ?? textAt(inner, 'ticket', 'id')
    if (id === undefined) return [unknownEvent(textAt(inner, 'triggered_event'))]
    return [
      eventOf({
        eventType: textAt(inner, 'triggered_event') ?? 'ticket.updated',
        entityType: 'ticket',
        // `{{ticket.id}}` is written as INC-12, `{{ticket.id_numeric}}` as 12.
        externalId: id.replace(/^[A-Z]+-/, ''),
        sourceVersion: textAt(inner, 'ticket_updated_at') ?? textAt(inner, 'ticket', 'updated_at'),
        content: at(inner),
      }),
    ]
  },
}
