import { eventOf, notice, operationOf, textAt, unknownEvent, type Reader } from './meaning.ts'

/** Requests of people about their data, which somebody has to answer (Shopify, mandatory compliance webhooks). */
const compliance: ReadonlySet<string> = new Set([
  'customers/data_request',
  'customers/redact',
  'shop/redact',
])

/** Topics such as `orders/updated`; the record is the body. */
export const shopify: Reader = {
  headers: ['x-shopify-topic', 'shopify-topic', 'shopify-resource-id'],
  toEvents: (headers, body) => {
    const topic = headers['x-shopify-topic'] ?? headers['shopify-topic']
    if (topic === undefined) return [unknownEvent(undefined)]
    if (compliance.has(topic)) return [notice(topic)]
    const externalId =
      textAt(body, 'id') ??
      textAt(body, 'admin_graphql_api_id') ??
      textAt(body, 'inventory_item_id') ??
      headers['shopify-resource-id']
    if (externalId === undefined) return [unknownEvent(topic)]
    return [
      eventOf({
        eventType: topic,
        entityType: topic.split('/')[0],
        externalId,
        operation: topic.endsWith('/cancelled') ? 'update' : operationOf(topic),
        sourceVersion: textAt(body, 'updated_at'),
      }),
    ]
  },
}
