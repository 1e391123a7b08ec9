import { at, eventOf, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

/** Members of the body that are the event's record, the most particular first. */
const kinds = [
  ['comment', /comment/],
  ['worklog', /worklog/],
  ['attachment', /attachment/],
  ['issuelink', /issuelink/, 'issueLink'],
  ['sprint', /sprint/],
  ['board', /board/],
  ['project', /project/],
  ['version', /version/],
  ['user', /user/],
  ['issue', /issue/],
] as const

/** `jira:issue_updated` and its like (Jira Cloud, webhooks). An issue's version is its `updated` stamp. */
export const jira: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const type = textAt(body, 'webhookEvent')
    const kind = kinds.find(([, pattern]) => pattern.test(type ?? ''))
    if (type === undefined || kind === undefined) return [unknownEvent(type)]
    const [entityType, , place = entityType] = kind
    const record = at(body, place)
    return [
      eventOf({
        eventType: type,
        entityType,
        externalId: textAt(record, 'id') ?? textAt(record, 'accountId'),
        operation: operationOf(type),
        sourceVersion: textAt(record, 'fields', 'updated') ?? textAt(record, 'updated'),
        content: [type, at(body, 'timestamp'), at(body, 'changelog'), textAt(record, 'id')],
      }),
    ]
  },
}
