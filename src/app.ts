import type { TokenCredential } from '@azure/identity'
import { clocksOf } from './app/clocks.ts'
import { probesOf } from './app/probes.ts'
import { composeWebhooks, type WebhookManagementPorts, type Webhooks } from './app/webhooks.ts'
import type { Caller } from './core/caller.ts'
import type { Connection } from './core/connection.ts'
import type { Log } from './core/log.ts'
import type { Clock } from './core/time.ts'
import type { Credentials } from './credentials/credentials.ts'
import { providerOf } from './credentials/providers.ts'
import { sessionOf } from './sync/session.ts'
import { newId, newSecret } from './core/ids.ts'
import { pause } from './adapters/pause.ts'
import { openRealtimes } from './adapters/realtimes.ts'
import { tellAdmins } from './notifications/tell-admins.ts'
import { healthCheck, type Health } from './management/health.ts'
import { negotiate, type Negotiated, type NegotiateRequest } from './notifications/negotiate.ts'
import { receiveEvent, relayUntold, type Delivery, type Incoming } from './notifications/receive.ts'
import { sharing } from './rate-limit/bucket.ts'
import { learning } from './rate-limit/learned.ts'
import { tokenQuotaOf } from './rate-limit/quota.ts'
import { limiter, type Decision, type Limiter } from './rate-limit/limiter.ts'
import type { IncomingCall } from './rate-limit/incoming.ts'
import type { Settings } from './settings.ts'
import { fieldsOf, mappingFor, sourceOf } from './sources.ts'
import type { Refusal, Source, SyncPorts } from './sync/ports.ts'
import { managementApp, type ManagementApp } from './app/management.ts'
import { syncApp, type SyncApp } from './app/sync.ts'
import type { Task } from './sync/task.ts'

/** What the functions call. */
export interface App extends AsyncDisposable, SyncApp, ManagementApp {
  readonly settings: Settings
  readonly version: string
  readonly clock: Clock
  readonly receiveEvent: (incoming: Incoming) => Promise<Delivery>
  readonly relayNotifications: () => Promise<number>
  readonly receiveWebhook: Webhooks['receive']
  readonly relayWebhooks: Webhooks['relay']
  readonly keepSubscriptions: Webhooks['keepSubscriptions']
  readonly webhookManagement: () => Promise<WebhookManagementPorts>
  readonly negotiate: (request: NegotiateRequest) => Promise<Negotiated>
  /** Asked before anything expensive is done for a caller. */
  readonly admit: (call: IncomingCall) => Promise<Decision>
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

/**
 * Puts the application together. Nothing is loaded or connected before a function needs it: every instance loads every
 * function, and most of them run one.
 */
export function createApp(options: AppOptions): App {
  const { settings, log, random = Math.random } = options
  const { clock, learnTime, steady } = clocksOf(options.clock, log)
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
    return resources.use(openCosmos({ endpoint, database: name, auth, learnTime }))
  })
  const bus = once(async () => {
    const { openServiceBus } = await import('./adapters/service-bus.ts')
    const { connectionString, namespace = '' } = settings.serviceBus
    const auth = connectionString
      ? { connectionString }
      : { namespace, credential: await identity() }
    return resources.use(openServiceBus(auth))
  })
  const vault = once(async () => {
    const { openKeyVault } = await import('./adapters/key-vault.ts')
    return openKeyVault(settings.keyVaultUrl, await identity())
  })
  const realtimes = once(() => openRealtimes(settings.realtime, identity))
  const redis = once(async () => {
    const { redisUrl: url } = settings.limits
    if (url === undefined) return undefined
    const { openRedisLimits } = await import('./adapters/redis.ts')
    return resources.use(openRedisLimits({ url, numbers: { sharing, learning } }))
  })
  const limits = once(async (): Promise<Limiter> => {
    const { overrides, partAlone } = settings.limits
    return limiter({
      shared: await redis(),
      overrides,
      partAlone,
      clock: steady,
      sleep: pause,
      log,
    })
  })
  const admit: Limiter['admit'] = async (call) => (await limits()).admit(call)
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
        quota: tokenQuotaOf(await limits()),
        admit: async (who) => {
          const decision = await (await limits()).admit({ endpoint: 'oauth-refresh', ...who })
          return decision.kind === 'allowed' ? undefined : decision.waitMs
        },
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
    return sourceOf({ task, connection: await connectionOf(task), ...(await callParts()) })
  }
  const callParts = async () => ({
    access: await credentials(),
    limits: await limits(),
    fetch,
    clock,
  })
  const mappingOf = async (task: Task) => mappingFor(task, await connectionOf(task))
  const webhooks = composeWebhooks({
    settings,
    log,
    clock,
    fetch,
    database,
    bus,
    vault,
    identity,
    credentials,
    random,
    admit,
    once,
  })
  const syncPorts = once(async (): Promise<SyncPorts> => {
    const cosmos = await database()
    const queues = await bus()
    return {
      tasks: cosmos.collection(collections.tasks),
      shards: cosmos.collection(collections.shards),
      results: cosmos.collection(collections.results),
      parked: cosmos.collection(collections.parked),
      inbound: queues.queue(settings.serviceBus.inboundQueue, sessionOf),
      outbound: queues.queue(settings.serviceBus.outboundQueue),
      openSource,
      mappingOf,
      clock,
      random,
    }
  })
  const notifications = async () => ({
    deliveries: (await database()).collection<Delivery>(collections.deliveries),
    realtimes: await realtimes(),
    clock,
    log,
  })
  const verifyBearer = once(async () => {
    const { bearerVerifier } = await import('./adapters/bearer.ts')
    return bearerVerifier({ ...settings.auth, fetch })
  })
  const health = once(async () =>
    healthCheck(
      probesOf({
        ports: syncPorts,
        vault,
        realtimes: await realtimes(),
        redis: await redis(),
      }),
      options.version,
      clock,
    ),
  )

  return {
    settings,
    clock,
    version: options.version,
    ...syncApp({
      settings,
      ports: syncPorts,
      deadLettersOf: async (queue) => (await bus()).deadLettersOf(queue),
      signal: stopping.signal,
    }),
    ...managementApp({
      syncPorts,
      connections: connectionsOf,
      credentials,
      fieldsOf: async (connection, wanted) =>
        fieldsOf({ connection, ...(await callParts()) }, wanted, stopping.signal),
      signal: stopping.signal,
    }),
    receiveEvent: async (incoming) => receiveEvent(await notifications(), incoming),
    relayNotifications: async () => relayUntold(await notifications()),
    receiveWebhook: webhooks.receive,
    relayWebhooks: webhooks.relay,
    keepSubscriptions: webhooks.keepSubscriptions,
    webhookManagement: webhooks.management,
    negotiate: async (request) => negotiate(await realtimes(), request),
    admit,
    verifyBearer: async (token) => (await verifyBearer())(token),
    credentials,
    health: async () => (await health())(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await webhooks.flush()
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
