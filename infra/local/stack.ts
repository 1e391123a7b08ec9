import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { serveControl } from './control-server.ts'
import { startCosmos } from './cosmos/cosmos.ts'
import topology from '../../src/topology.json' with { type: 'json' }
import type { Emulator } from './emulator.ts'
import { startIdentity } from './identity/identity.ts'
import { startKeyVault } from './key-vault/key-vault.ts'
import { startIssuer } from './oauth/issuer.ts'
import { startSignalR } from './realtime/signalr.ts'
import { startWebPubSub } from './realtime/web-pubsub.ts'
import { startStorage } from './storage/storage.ts'
import { startServiceBus } from './service-bus/service-bus.ts'
import { startGitHub, type GitHubOptions } from './vendors/github.ts'
import { startSalesforce, type SalesforceOptions } from './vendors/salesforce.ts'
import { startServiceNow, type ServiceNowOptions } from './vendors/servicenow.ts'

export interface StackOptions {
  readonly serviceNow?: ServiceNowOptions
  /** A Salesforce organisation besides; none when absent. */
  readonly salesforce?: SalesforceOptions
  /** GitHub's issues besides; none when absent. */
  readonly github?: GitHubOptions
  /** Keeps documents and secrets in this folder, so that the next stack finds them. */
  readonly dataFolder?: string
  /** Blobs too: a process more, needed by large webhooks only. */
  readonly storage?: boolean
  /** Added to and instead of what the emulators say. */
  readonly settings?: Readonly<Record<string, string>>
}

export type Stack = Awaited<ReturnType<typeof startStack>>

/** Every other setting of the functions, with its default; what is empty counts as not set. */
const defaults = {
  COSMOS_DATABASE: topology.database,
  COSMOS_CONTAINER: topology.containers.tasks.name,
  SYNC_RESULTS_CONTAINER: topology.containers.results.name,
  CREDENTIALS_CONTAINER: topology.containers.credentials.name,
  SERVICE_BUS_NAMESPACE: '',
  SERVICE_BUS_QUEUE: topology.queues.inbound.name,
  SERVICE_BUS_QUEUE_OUTBOUND: topology.queues.outbound.name,
  KEY_VAULT_NAME: '',
  REDIS_URL: process.env['REDIS_URL'] ?? '',
  SYNC_BATCH_SIZE: '100',
  SYNC_MAX_RETRIES: '3',
  TOKEN_EXPIRY_THRESHOLD_MINUTES: '60',
  MAX_REFRESH_RETRIES: '3',
  APPLICATIONINSIGHTS_CONNECTION_STRING: '',
}

const boundless = {
  integration: 60_000,
  operations: { fetch: 60_000, update: 60_000, create: 60_000 },
  connection: 60_000,
}

const random = () => randomBytes(24).toString('base64url')

/** The whole cloud on 127.0.0.1, with the settings that the functions need to find it. */
export async function startStack(options: StackOptions = {}) {
  await using starting = new AsyncDisposableStack()
  const file = (name: string) =>
    options.dataFolder === undefined ? {} : { file: path.join(options.dataFolder, name) }
  const use = <E extends Emulator>(emulator: E) => starting.use(emulator)
  const cosmos = use(await startCosmos(file('cosmos.sqlite')))
  const serviceBus = use(await startServiceBus())
  const identity = use(await startIdentity())
  const keyVault = use(
    await startKeyVault({ verify: identity.verify, ...file('key-vault.sqlite') }),
  )
  const webPubSub = use(await startWebPubSub())
  const signalR = use(await startSignalR())
  const issuer = use(await startIssuer())
  const serviceNow = use(await startServiceNow(options.serviceNow))
  const salesforce = options.salesforce && use(await startSalesforce(options.salesforce))
  const github = options.github && use(await startGitHub(options.github))
  const always = [cosmos, serviceBus, identity, keyVault, webPubSub, signalR, issuer, serviceNow]
  const storage = options.storage === true ? await startStorage() : undefined
  if (storage) use(storage)
  const besides = [salesforce, github, storage].filter((one) => one !== undefined)
  const emulators = [...always, ...besides]
  const control = starting.use(await serveControl(emulators))
  const resources = starting.move()
  return {
    cosmos,
    serviceBus,
    keyVault,
    webPubSub,
    signalR,
    issuer,
    serviceNow,
    salesforce,
    github,
    emulators,
    settings: {
      ...defaults,
      ...Object.assign({}, ...emulators.map(({ settings }) => settings)),
      WEBHOOK_SECRET: random(),
      DEMO_SALESFORCE_SECRET: random(),
      FUNCTIONS_KEY: random(),
      FUNCTIONS_MASTER_KEY: random(),
      // The vendors are ours: their own rules say when they have had enough.
      RATE_LIMITS: JSON.stringify({
        integrations: { servicenow: boundless, salesforce: boundless, github: boundless },
      }),
      LOCAL_CONTROL_URL: control.origin,
      ...options.settings,
    } as Readonly<Record<string, string>>, // each emulator's settings are texts
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
