import {
  entryOf,
  at,
  each,
  eventOf,
  listAt,
  malformed,
  notice,
  objectAt,
  textAt,
  unknownEvent,
  type Meaning,
  type Operation,
  type Reader,
} from './meaning.ts'

const operations: Readonly<Record<string, Operation>> = {
  insert: 'create',
  create: 'create',
  created: 'create',
  update: 'update',
  updated: 'update',
  undelete: 'update',
  undeleted: 'update',
  delete: 'delete',
  deleted: 'delete',
}

/** What our Apex class posts: one event, or `events` with many. Names that others' triggers use are understood too. */
export const salesforce: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const list = listAt(body, 'events')
    return list.length > 0 ? each(list, readOne) : [readOne(body)]
  },
}

function readOne(body: unknown): Meaning {
  if (objectAt(body, 'ChangeEventHeader') !== undefined) return readChangeEvent(body)
  const type = first(body, ['eventType', 'event', 'type'])
  const entityType = first(body, ['sobjectType', 'objectType', 'sObject', 'object', 'entityType'])
  const externalId =
    first(body, ['recordId', 'entityId', 'Id', 'id']) ?? textAt(body, 'record', 'Id')
  const verb = first(body, ['operation', 'changeType', 'action']) ?? type?.split(/[._:]/).at(-1)
  if (type === undefined && verb === undefined) return unknownEvent(undefined)
  const eventType = type ?? `${entityType ?? 'record'}.${verb}`
  const named = entityType ?? type?.match(/^(\w+)[.:]/)?.[1]
  if (named === undefined || externalId === undefined) return unknownEvent(eventType)
  return eventOf({
    eventType,
    entityType: named,
    externalId,
    operation: entryOf(operations, (verb ?? '').toLowerCase()) ?? 'update',
    changes: objectAt(body, 'changes') ?? objectAt(body, 'record'),
    sourceVersion: textAt(body, 'systemModstamp') ?? textAt(body, 'record', 'SystemModstamp'),
    content: at(body, 'record') ?? at(body, 'changes'),
  })
}

function first(body: unknown, names: readonly string[]): string | undefined {
  return names.map((name) => textAt(body, name)).find((found) => found !== undefined)
}

/** Change Data Capture passed on as JSON. A gap carries no fields, an overflow no records (Change Data Capture, headers). */
function readChangeEvent(body: unknown): Meaning {
  const header = at(body, 'ChangeEventHeader')
  const changeType = textAt(header, 'changeType') ?? ''
  const entityType = textAt(header, 'entityName')
  const eventType = `${entityType ?? 'record'}.${changeType}`
  const [id, ...more] = listAt(header, 'recordIds')
  const isOne = typeof id === 'string' && !id.includes('*') && more.length === 0
  if (entityType !== undefined && (!isOne || changeType === 'GAP_OVERFLOW')) {
    return { kind: 'resync', eventType, entityType }
  }
  const verb = changeType.replace(/^GAP_/, '').toLowerCase()
  return eventOf({
    eventType,
    entityType,
    externalId: isOne ? id : undefined,
    operation: entryOf(operations, verb) ?? 'update',
    sourceVersion: textAt(header, 'commitNumber') ?? textAt(header, 'commitTimestamp'),
    content: header,
  })
}

const NOTIFICATION = /<(?:[\w.-]+:)?Notification>([\s\S]*?)<\/(?:[\w.-]+:)?Notification>/g

/**
 * Outbound messages (SOAP, namespace `http://soap.sforce.com/2005/09/outbound`): up to a hundred notifications. Markup
 * that could hide or multiply text (DTD, comments, CDATA) is refused whole.
 */
export const salesforceOutboundMessage: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    if (typeof body !== 'string' || body.includes('<!')) return [malformed('no outbound message')]
    const found = [...body.matchAll(NOTIFICATION)].map(([, inside = '']) =>
      readNotification(inside),
    )
    return found.length > 0 ? found : [unknownEvent('outbound-message')]
  },
}

function readNotification(xml: string): Meaning {
  const entityType = /<(?:[\w.-]+:)?sObject\b[^<>]*\btype="(?:[\w.-]+:)?(\w+)"/.exec(xml)?.[1]
  const inner = xml.slice(Math.max(0, xml.indexOf('sObject')))
  return eventOf({
    eventType: `${entityType ?? 'record'}.outbound-message`,
    entityType,
    externalId: elementOf(inner, 'Id'),
    sourceVersion: elementOf(inner, 'SystemModstamp') ?? elementOf(inner, 'LastModifiedDate'),
    content: inner,
  })
}

function elementOf(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:[\\w.-]+:)?${name}>([^<>]+)<`).exec(xml)?.[1]?.trim()
}

/** Event Notification Service: sends, bounces and engagements; nothing of them is a record that we keep. */
export const salesforceMarketingCloud: Reader = {
  headers: [],
  toEvents: (_headers, body) =>
    each(Array.isArray(body) ? body : [body], (element) => {
      const type = textAt(element, 'eventCategoryType')
      if (textAt(element, 'callbackId') !== undefined) return notice('callback-verification')
      return type === undefined ? unknownEvent(undefined) : notice(type)
    }),
}
