import { createHmac, timingSafeEqual } from 'node:crypto'
import { CosmosClient, type JSONObject } from '@azure/cosmos'
import { app, type HttpRequest } from '@azure/functions'
import { ServiceBusClient, type ServiceBusMessage } from '@azure/service-bus'
import topology from '../../../src/topology.json' with { type: 'json' }
import { gathered } from '../../../src/webhooks/gather.ts'

// The same calls and documents as the receiver's, in the same transfers, with nothing around them: no registration, no
// limits, no scheme, no reading of events, no metrics, nothing kept for when the queue or the store is away.
const { BENCH_SECRET = '', COSMOS_ENDPOINT = '', COSMOS_KEY = '' } = process.env
const cosmos = new CosmosClient({ endpoint: COSMOS_ENDPOINT, key: COSMOS_KEY })
const deliveries = cosmos.database(topology.database).container(topology.containers.deliveries.name)
const bus = new ServiceBusClient(process.env['SERVICE_BUS_CONNECTION_STRING'] ?? '')
const sender = bus.createSender(topology.queues.inbound.name)

const AT_ONCE = 100
const registrationId = 'reg-floor'

const send = gathered<ServiceBusMessage, undefined>(AT_ONCE, async (messages) => {
  await sender.sendMessages([...messages])
  return messages.map(() => undefined)
})

const store = gathered<JSONObject, undefined>(AT_ONCE, async (documents) => {
  const operations = documents.map((resourceBody) => ({
    operationType: 'Create' as const,
    resourceBody,
  }))
  const answer = await deliveries.items.batch(operations, [registrationId], {
    contentResponseOnWriteEnabled: false,
  })
  if (answer.code !== 200) throw new Error(`a batch was answered ${answer.code}`)
  return documents.map(() => undefined)
})

interface Posted {
  readonly event_type: string
  readonly operation: string
  readonly record: Readonly<Record<'sys_id' | 'sys_updated_on' | 'sys_mod_count', string>>
}

app.http('floor', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'webhooks/{registrationId}/{*path}',
  handler: async (request) => {
    const receivedAt = new Date().toISOString()
    const body = Buffer.from(await request.arrayBuffer())
    if (!isSigned(request, body)) return { status: 401 }
    const posted = JSON.parse(body.toString('utf8')) as Posted // the bench writes them
    const senderId = request.headers.get('x-snow-event-id') ?? ''
    const id = `delivery-floor-of-the-bench-${senderId}`
    const entityId = posted.record.sys_id
    const eventType = posted.event_type
    await Promise.all([
      send(messageOf(posted, { id, receivedAt })),
      store({
        id,
        registrationId,
        tenantId: 'demo',
        connectionId: 'conn-servicenow',
        receivedAt,
        sourceIp: request.headers.get('x-forwarded-for'),
        method: request.method,
        path: new URL(request.url).pathname,
        duration: 0,
        verified: true,
        queued: true,
        status: 'queued',
        secretId: 's1',
        senderId,
        eventType,
        entityId,
        synced: true,
        elements: 1,
        headers: { 'content-type': 'application/json' },
        body: { at: 'document', base64: body.toString('base64') },
      }),
    ])
    return { status: 200, jsonBody: { success: true, eventType, entityId, synced: true } }
  },
})

function isSigned(request: HttpRequest, body: Buffer): boolean {
  const header = (name: string) => request.headers.get(`x-snow-${name}`) ?? ''
  const given = Buffer.from(header('signature').replace('sha256=', ''), 'base64')
  const made = createHmac('sha256', BENCH_SECRET)
    .update(`${header('timestamp')}.${header('event-id')}.`)
    .update(body)
    .digest()
  return given.length === made.length && timingSafeEqual(given, made)
}

interface Origin {
  readonly id: string
  readonly receivedAt: string
}

function messageOf({ operation, record }: Posted, { id, receivedAt }: Origin): ServiceBusMessage {
  // As the receiver's ids: the same change is the same message, and the bus drops the second.
  const { sys_id: externalId, sys_updated_on: at, sys_mod_count: count } = record
  return {
    messageId: `event-of-the-floor-${externalId}-${at}-${count}`,
    correlationId: id,
    sessionId: `lane-${externalId.slice(-1)}`,
    contentType: 'application/json',
    body: {
      integrationId: 'servicenow',
      tenantId: 'demo',
      connectionId: 'conn-servicenow',
      syncMode: 'pull',
      priority: 'normal',
      correlationId: id,
      enqueuedAt: receivedAt,
      taskId: 'task-incidents',
      record: { entityType: 'incident', externalId, operation },
    },
  }
}
