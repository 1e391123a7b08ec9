import {
  entryOf,
  at,
  eventOf,
  textAt,
  unknownEvent,
  type Operation,
  type Reader,
} from './meaning.ts'

const operations: Readonly<Record<string, Operation>> = {
  create: 'create',
  update: 'update',
  remove: 'delete',
}

export const linear: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'type')
    const action = textAt(body, 'action') ?? ''
    const operation = entryOf(operations, action)
    if (type === undefined || operation === undefined) return [unknownEvent(type)]
    return [
      eventOf({
        eventType: `${type}.${action}`,
        entityType: type,
        externalId: textAt(body, 'data', 'id'),
        operation,
        sourceVersion: textAt(body, 'data', 'updatedAt'),
        content: [action, at(body, 'data')],
      }),
    ]
  },
}
