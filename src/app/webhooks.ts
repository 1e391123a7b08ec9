import { sessionOf } from '../sync/session.ts'
import { randomUUID } from 'node:crypto'
import type { TokenCredential } from '@azure/identity'
import type { CosmosDatabase } from '../adapters/cosmos.ts'
import type { ServiceBus } from '../adapters/service-bus.ts'
import type { Blobs } from '../core/blobs.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { AppError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { Vault } from '../core/vault.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import type { Settings } from '../settings.ts'
import type { Task } from '../sync/task.ts'
import type { IncomingWebhook } from '../webhooks/call.ts'
import type { SyncTarget } from '../webhooks/hand-over.ts'
import { graphSubscriber, type GraphPorts } from '../webhooks/graph-subscriber.ts'
import type { WebhookPorts } from '../webhooks/ports.ts'
import { openWebhookReceiver, type Receipt } from '../webhooks/receive.ts'
import type { RegistrationPorts } from '../webhooks/registrations.ts'
import { keepSubscriptions } from '../webhooks/subscriptions.ts'

export interface Webhooks {
  readonly receive: (incoming: IncomingWebhook) => Promise<Receipt>
  readonly relay: () => Promise<number>
  readonly keepSubscriptions: () => Promise<number>
  /** What the management of registrations and deliveries works with. */
  readonly management: () => Promise<WebhookManagementPorts>
  readonly flush: () => Promise<void>
}

export type WebhookManagementPorts = WebhookPorts & RegistrationPorts

export interface WebhookServices {
  readonly settings: Settings
  readonly log: Log
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
  readonly database: () => Promise<CosmosDatabase>
  readonly bus: () => Promise<ServiceBus>
  readonly vault: () => Promise<Vault>
  readonly identity: () => Promise<TokenCredential>
  readonly credentials: () => Promise<Credentials>
  readonly random: () => number
  readonly admit: Limiter['admit']
  readonly once: <T>(work: () => Promise<T>) => () => Promise<T>
}

/** Puts the webhooks together. Like everything, they are opened by the first call that needs them. */
export function composeWebhooks(services: WebhookServices): Webhooks {
  const { settings, log, clock, fetch, once } = services
  const containers = settings.cosmos.containers
  const ports = once(async (): Promise<WebhookPorts> => {
    const cosmos = await services.database()
    const bus = await services.bus()
    const tasks = cosmos.collection<Task>(containers.tasks)
    return {
      registrations: cosmos.collection(containers.webhookRegistrations),
      usage: cosmos.collection(containers.webhookRegistrations),
      subscriptions: cosmos.collection(containers.webhookRegistrations),
      deliveries: cosmos.collection(containers.deliveries),
      standings: cosmos.collection(containers.deliveries),
      inbound: bus.queue(settings.serviceBus.inboundQueue, sessionOf),
      outbound: bus.queue(settings.serviceBus.outboundQueue),
      admit: async ({ id, tenantId, requestsPerMinute }) => {
        const decision = await services.admit({
          endpoint: 'webhooks',
          registration: id,
          registrationPerMinute: requestsPerMinute,
          tenantId,
        })
        return decision.kind === 'allowed' ? 0 : decision.waitMs
      },
      vault: await services.vault(),
      blobs: lazyBlobs(services),
      targetsOf: async (tenantId, connectionId) => {
        const found: SyncTarget[] = []
        const anyOf = [
          [
            { field: 'connectionId', is: '=', value: connectionId } as const,
            { field: 'enabled', is: '=', value: true } as const,
          ],
        ]
        for await (const { document } of tasks.query({ anyOf }, [tenantId])) {
          const { id: taskId, entityType, integrationId, syncMode, priority } = document
          found.push({ taskId, entityType, integrationId, syncMode, priority })
        }
        return found
      },
      fetch,
      publicUrl: settings.webhookOrigin,
      clock,
      log,
    }
  })
  const receiver = once(async () => openWebhookReceiver(await ports()))
  let isOpen = false
  return {
    receive: async (incoming) => {
      isOpen = true
      return (await receiver()).receive(incoming)
    },
    relay: async () => (await receiver()).relay(),
    keepSubscriptions: async () => {
      const subscriber = graphSubscriber({ fetch, accessOf: accessOf(services) })
      return keepSubscriptions({ ...(await ports()), subscriber, random: services.random })
    },
    management: async () => {
      const cosmos = await services.database()
      const connections = cosmos.collection<Connection>(containers.connections)
      const opened = await receiver()
      return {
        ...(await ports()),
        vendorOf: async (tenantId, connectionId) =>
          (await connections.get([tenantId], connectionId))?.document.integrationId,
        newId: () => randomUUID().replaceAll('-', ''),
        forget: (id) => opened.forget(id),
      }
    },
    flush: async () => {
      if (isOpen) await (await receiver()).flush()
    },
  }
}

function accessOf({ settings, ...services }: WebhookServices): GraphPorts['accessOf'] {
  return async ({ tenantId, connectionId }) => {
    const { connections } = settings.cosmos.containers
    const stored = await (
      await services.database()
    )
      .collection<Connection>(connections)
      .get([tenantId], connectionId)
    const connection = stored?.document
    const origin = connection && instanceOrigin(connection)
    if (!connection || !origin) return { problem: 'its connection has no address' }
    const { credentialId, integrationId } = connection
    const access = await (
      await services.credentials()
    ).getCredential({ tenantId, credentialId, integrationId, origin })
    return access.kind === 'authorized'
      ? { origin, headers: access.headers }
      : { problem: access.reason }
  }
}

/** Most instances never see a large body: the SDK is loaded for the first one. */
function lazyBlobs({ settings, identity, once }: WebhookServices): Blobs {
  const { connectionString, url, container } = settings.blobs
  const open = once(async (): Promise<Blobs> => {
    const { openBlobs } = await import('../adapters/blob-storage.ts')
    if (connectionString !== undefined) return openBlobs({ connectionString }, container)
    if (url !== undefined) return openBlobs({ url, credential: await identity() }, container)
    throw new AppError('blob_unavailable', 'the settings name no storage account')
  })
  return {
    put: async (name, bytes) => (await open()).put(name, bytes),
    get: async (name) => (await open()).get(name),
  }
}
