import {
  at,
  each,
  eventOf,
  operationOf,
  textAt,
  unknownEvent,
  type Headers,
  type Meaning,
  type Reader,
} from './meaning.ts'

/** One event in binary mode (its attributes in headers), one in structured mode, or a batch (CloudEvents HTTP §3). */
export const cloudevents: Reader = {
  headers: ['ce-type', 'ce-source', 'ce-subject', 'ce-time', 'ce-id'],
  toEvents: (headers, body) => {
    if (headers['ce-type'] !== undefined) return [readAttributes(binary(headers), body)]
    const list: readonly unknown[] = Array.isArray(body) ? body : [body]
    return each(list, (element) => readAttributes(element, at(element, 'data')))
  },
}

/** Azure Event Grid's own schema: a list, the type in `eventType`. */
export const eventGrid: Reader = {
  headers: [],
  toEvents: (_headers, body) =>
    each(Array.isArray(body) ? body : [body], (element) =>
      readAttributes(
        {
          type: textAt(element, 'eventType') ?? textAt(element, 'type'),
          subject: textAt(element, 'subject'),
          time: textAt(element, 'eventTime') ?? textAt(element, 'time'),
        },
        at(element, 'data'),
      ),
    ),
}

function binary(headers: Headers) {
  return {
    type: headers['ce-type'],
    subject: headers['ce-subject'],
    time: headers['ce-time'],
  }
}

function readAttributes(attributes: unknown, data: unknown): Meaning {
  const type = textAt(attributes, 'type')
  const externalId = textAt(data, 'id') ?? textAt(attributes, 'subject')
  if (type === undefined || externalId === undefined) return unknownEvent(type)
  return eventOf({
    eventType: type,
    entityType: type.split('.').at(-2) ?? type,
    externalId,
    operation: operationOf(type),
    sourceVersion: textAt(attributes, 'time'),
    content: [type, externalId, data],
  })
}
