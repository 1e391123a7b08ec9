import type { Lifecycle } from '../subscription.ts'
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
  type Operation,
  type Reader,
} from './meaning.ts'

const operations: Readonly<Record<string, Operation>> = {
  created: 'create',
  updated: 'update',
  deleted: 'delete',
}

/** Of the subscription itself; after the last two nobody can say what was missed (Microsoft Graph, lifecycle notifications). */
const lifecycles: Readonly<Record<string, Lifecycle['what']>> = {
  reauthorizationRequired: 'renew',
  subscriptionRemoved: 'removed',
  missed: 'missed',
}

/** Change notifications: signals of many subscriptions in one post. */
export const graph: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const items = listAt(body, 'value')
    return items.length === 0 ? [malformed('no notifications')] : each(items, readItem)
  },
}

function readItem(item: unknown): Meaning {
  const event = textAt(item, 'lifecycleEvent')
  if (event !== undefined) {
    const what = entryOf(lifecycles, event)
    const eventType = `lifecycle.${event}`
    if (what === undefined) return notice(eventType)
    const subscriptionId = textAt(item, 'subscriptionId')
    const lifecycle = subscriptionId === undefined ? {} : { lifecycle: { subscriptionId, what } }
    return { kind: what === 'renew' ? 'notice' : 'resync', eventType, ...lifecycle }
  }
  const changeType = textAt(item, 'changeType')
  const operation = entryOf(operations, changeType)
  if (operation === undefined) return unknownEvent(changeType)
  const entityType = entityOf(item)
  return eventOf({
    eventType: `${entityType ?? 'resource'}.${changeType}`,
    entityType,
    externalId: textAt(item, 'resourceData', 'id') ?? lastSegment(textAt(item, 'resource')),
    operation,
    sourceVersion: textAt(item, 'resourceData', '@odata.etag'),
    content: [changeType, textAt(item, 'resource'), at(item, 'resourceData')],
  })
}

/** `message` of `#Microsoft.Graph.Message`; else what the path says, such as `users` of `users/1`. */
function entityOf(item: unknown): string | undefined {
  const type = textAt(item, 'resourceData', '@odata.type')?.split('.').at(-1)
  if (type !== undefined) return type.charAt(0).toLowerCase() + type.slice(1)
  return textAt(item, 'resource')?.split('/').at(-2)?.replace(/\(.*$/, '')
}

function lastSegment(resource: string | undefined): string | undefined {
  const last = resource?.split('/').at(-1)
  return /\('([^']+)'\)$/.exec(last ?? '')?.[1] ?? last
}
