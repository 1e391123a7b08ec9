import type { TokenCredential } from '@azure/identity'
import type { Caller } from './core/caller.ts'
import type { Connection } from './core/connection.ts'
import type { Log } from './core/log.ts'
import type { Clock } from './core/time.ts'
import type { Credentials } from './credentials/credentials.ts'
import { askingLimit } from './credentials/asking-limit.ts'
import { providerOf } from './credentials/providers.ts'
import { newId, newSecret } from './core/ids.ts'
import { pause } from './adapters/pause.ts'
import { openRealtimes } from './adapters/realtimes.ts'
import { tellAdmins } from './notifications/tell-admins.ts'
import { healthCheck, type Health, type Probe } from './management/health.ts'
import { negotiate, type Negotiated, type NegotiateRequest } from './notifications/negotiate.ts'
import type { Realtime } from './notifications/ports.ts'
import { receiveEvent, type Delivery, type Incoming } from './notifications/receive.ts'
import type { Settings } from './settings.ts'
import { deferMessage, parkMessage } from './sync/defer.ts'
import { executeSync, type SliceOutcome } from './sync/inbound.ts'
import type { Refusal, Source, SyncPorts } from './sync/ports.ts'
import { scheduleDueTasks, type ScheduleSummary } from './sync/scheduler.ts'
import { pushChanges, type PushOutcome } from './sync/outbound.ts'
import { relayPending } from './sync/outbox.ts'
import type { InboundMessage, OutboundMessage, Task } from './sync/task.ts'
import { mappingFor, sourceOf } from './vendor-streams.ts'

/** What the functions call. */
export interface App extends AsyncDisposable {
  readonly settings: Settings
  readonly clock: Clock
  readonly scheduleDueTasks: () => Promise<ScheduleSummary>
  readonly executeSync: (message: InboundMessage) => Promise<SliceOutcome>
  readonly deferInbound: (message: InboundMessage, messageId: string) => Promise<boolean>
  readonly parkInbound: (message: Parameters<typeof parkMessage>[2]) => Promise<void>
  readonly pushChanges: (message: OutboundMessage) => Promise<PushOutcome>
  readonly relayPending: () => Promise<{ readonly relayed: number }>
  readonly deferOutbound: (message: OutboundMessage, messageId: string) => Promise<boolean>
  readonly parkOutbound: (message: Parameters<typeof parkMessage>[2]) => Promise<void>
  readonly receiveEvent: (incoming: Incoming) => Promise<Delivery>
  readonly negotiate: (request: NegotiateRequest) => Promise<Negotiated>
  readonly verifyBearer: (token: string) => Promise<Caller>
  readonly credentials: () => Promise<Credentials>
  readonly health: () => Promise<Health>
}

export interface AppOptions {
  readonly settings: Settings
  readonly log: Log
  readonly version: string
  readonly clock?: Clock
  readonly random?: () => number
  readonly fetch?: typeof globalThis.fetch
}

/** With back-off a record is tried for about an hour before a person has to look at it. */
const MAX_PUSH_ATTEMPTS = 10

/**
 * Puts the application together. Nothing is loaded or connected before a function needs it: every instance loads every
 * function, and most of them run one.
 */
export function createApp(options: AppOptions): App {
  const { settings, log, clock = () => new Date(), random = Math.random } = options
  const fetch = options.fetch ?? globalThis.fetch
  const resources = new AsyncDisposableStack()
  const stopping = new AbortController()

  const identity = once(async (): Promise<TokenCredential> => {
    const { ManagedIdentityCredential } = await import('@azure/identity')
    const clientId = settings.managedIdentityClientId
    return clientId === undefined
      ? new ManagedIdentityCredential()
      : new ManagedIdentityCredential({ clientId })
  })
  const database = once(async () => {
    const { openCosmos } = await import('./adapters/cosmos.ts')
    const { endpoint, key, database: name } = settings.cosmos
    const auth = key === undefined ? { credential: await identity() } : { key }
    return resources.use(openCosmos({ endpoint, database: name, auth }))
  })
  const bus = once(async () => {
    const { openServiceBus } = await import('./adapters/service-bus.ts')
    const { connectionString, namespace = '' } = settings.serviceBus
    return resources.use(
      openServiceBus(
        connectionString === undefined
          ? { namespace, credential: await identity() }
          : { connectionString },
      ),
    )
  })
  const vault = once(async () => {
    const { openKeyVault } = await import('./adapters/key-vault.ts')
    return openKeyVault(settings.keyVaultUrl, await identity())
  })
  const realtimes = once(() => openRealtimes(settings.realtime, identity))
  const collections = settings.cosmos.containers

  const connectionsOf = async () =>
    (await database()).collection<Connection>(collections.connections)
  const credentials = once(async (): Promise<Credentials> => {
    const { openCredentials } = await import('./credentials/credentials.ts')
    const cosmos = await database()
    return openCredentials(
      {
        credentials: cosmos.collection(collections.credentials),
        authorizations: cosmos.collection(collections.credentials),
        sessions: cosmos.collection(collections.credentials),
        audits: cosmos.collection(collections.results),
        connections: await connectionsOf(),
        vault: await vault(),
        providerOf,
        clientOf: (integrationId) => settings.oauthClients[integrationId],
        tellAdmins: ({ tenantId, id, integrationId }, notice) =>
          tellAdmins({ realtimes, log }, { tenantId, credentialId: id, integrationId, ...notice }),
        admit: askingLimit(clock),
        pause,
        newId: () => newId('refresh'),
        newSecret,
        fetch,
        clock,
        random,
        log,
      },
      { owner: newId('instance'), maxTries: settings.credentials.maxRetries },
    )
  })
  const connectionOf = async (task: Task): Promise<Connection | undefined> => {
    return (await (await connectionsOf()).get([task.tenantId], task.connectionId))?.document
  }
  const openSource = async (task: Task): Promise<Source | Refusal> => {
    const connection = await connectionOf(task)
    return sourceOf({ task, connection, access: await credentials(), fetch, clock })
  }
  const mappingOf = async (task: Task) => mappingFor(task, await connectionOf(task))
  const schedulerPorts = once(async () => ({
    tasks: (await database()).collection<Task>(collections.tasks),
    inbound: (await bus()).queue(settings.serviceBus.inboundQueue),
    clock,
    random,
  }))
  const syncPorts = once(async (): Promise<SyncPorts> => {
    const cosmos = await database()
    return {
      ...(await schedulerPorts()),
      shards: cosmos.collection(collections.shards),
      results: cosmos.collection(collections.results),
      parked: cosmos.collection(collections.parked),
      outbound: (await bus()).queue(settings.serviceBus.outboundQueue),
      openSource,
      mappingOf,
    }
  })
  const limits = {
    pageSize: settings.sync.batchSize,
    sliceMs: settings.sync.sliceMs,
    maxAttempts: settings.sync.maxRetries,
  }
  const pushLimits = {
    sliceMs: settings.sync.sliceMs,
    maxAttempts: MAX_PUSH_ATTEMPTS,
    leaseMs: settings.sync.pushLeaseMs,
  }
  const verifyBearer = once(async () => {
    const { bearerVerifier } = await import('./adapters/bearer.ts')
    return bearerVerifier({ ...settings.auth, fetch })
  })
  const health = once(async () =>
    healthCheck(
      [
        {
          service: 'cosmos',
          essential: true,
          ping: async () => (await schedulerPorts()).tasks.ping(),
        },
        {
          service: 'serviceBus',
          essential: true,
          ping: async () => (await schedulerPorts()).inbound.ping(),
        },
        { service: 'keyVault', essential: true, ping: async () => (await vault()).ping() },
        ...(await realtimes()).map(realtimeProbe),
      ],
      options.version,
      clock,
    ),
  )

  return {
    settings,
    clock,
    scheduleDueTasks: async () => scheduleDueTasks(await schedulerPorts()),
    executeSync: async (message) =>
      executeSync(await syncPorts(), limits, { message, signal: stopping.signal }),
    deferInbound: async (message, messageId) => {
      const ports = await schedulerPorts()
      return deferMessage({ ...ports, queue: ports.inbound }, message, messageId)
    },
    parkInbound: async (message) =>
      parkMessage(await syncPorts(), settings.serviceBus.inboundQueue, message),
    pushChanges: async (message) =>
      pushChanges(await syncPorts(), pushLimits, { message, signal: stopping.signal }),
    relayPending: async () => relayPending(await syncPorts()),
    deferOutbound: async (message, messageId) => {
      const ports = await syncPorts()
      return deferMessage({ ...ports, queue: ports.outbound }, message, messageId)
    },
    parkOutbound: async (message) =>
      parkMessage(await syncPorts(), settings.serviceBus.outboundQueue, message),
    receiveEvent: async (incoming) =>
      receiveEvent(
        {
          deliveries: (await database()).collection(collections.deliveries),
          realtimes: await realtimes(),
          clock,
        },
        incoming,
      ),
    negotiate: async (request) => negotiate(await realtimes(), request),
    verifyBearer: async (token) => (await verifyBearer())(token),
    credentials,
    health: async () => (await health())(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await resources.disposeAsync()
    },
  }
}

/** Does the work at the first call; a failure is forgotten, so that the next call tries again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined
      throw error
    })
    return result
  }
}

function realtimeProbe(realtime: Realtime): Probe {
  const service = realtime.service === 'signalr' ? 'signalR' : 'webPubSub'
  return { service, essential: false, ping: (signal) => realtime.ping(signal) }
}
