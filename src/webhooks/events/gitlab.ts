import {
  entryOf,
  at,
  eventOf,
  notice,
  textAt,
  unknownEvent,
  type Operation,
  type Reader,
} from './meaning.ts'

const entities: Readonly<Record<string, string>> = {
  issue: 'issue',
  work_item: 'issue',
  merge_request: 'merge_request',
  note: 'note',
  pipeline: 'pipeline',
  wiki_page: 'wiki_page',
}

/** Actions of `object_attributes` (GitLab, webhook events); all others change the record. */
const operations: Readonly<Record<string, Operation>> = { open: 'create', create: 'create' }

const notices: ReadonlySet<string> = new Set(['push', 'tag_push', 'build', 'release', 'deployment'])

export const gitlab: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const kind = textAt(body, 'object_kind')
    if (kind === undefined) return [unknownEvent(textAt(body, 'event_name'))]
    if (notices.has(kind)) return [notice(kind)]
    const entityType = entryOf(entities, kind)
    if (entityType === undefined) return [unknownEvent(kind)]
    const record = at(body, 'object_attributes')
    const action = textAt(record, 'action')
    return [
      eventOf({
        eventType: action === undefined ? kind : `${kind}.${action}`,
        entityType,
        externalId: textAt(record, 'id') ?? textAt(record, 'slug'),
        operation: entryOf(operations, action ?? '') ?? 'update',
        sourceVersion: textAt(record, 'updated_at'),
      }),
    ]
  },
}
