import { z } from 'zod'
import { AppError } from './core/errors.ts'
import { limitOverridesShape } from './rate-limit/limits.ts'
import topology from './topology.json' with { type: 'json' }

const text = z.string().trim().min(1)
const url = z.url({ protocol: /^https?$/ }).transform((value) => value.replace(/\/+$/, ''))
const count = (fallback: number, max: number) =>
  z.coerce.number().int().min(1).max(max).default(fallback)
const list = text.transform((value) => value.split(',').map((item) => item.trim()))

const json = text.transform((value, context) => {
  try {
    return JSON.parse(value) as unknown
  } catch {
    context.addIssue({ code: 'invalid_format', format: 'JSON text' })
    return z.NEVER
  }
})

const environmentShape = z.object({
  COSMOS_ENDPOINT: url,
  COSMOS_KEY: text.optional(),
  COSMOS_DATABASE: text.default(topology.database),
  COSMOS_CONTAINER: text.default(topology.containers.tasks.name),
  SYNC_RESULTS_CONTAINER: text.default(topology.containers.results.name),
  CREDENTIALS_CONTAINER: text.default(topology.containers.credentials.name),
  SERVICE_BUS_CONNECTION_STRING: text.startsWith('Endpoint=').optional(),
  SERVICE_BUS_NAMESPACE: text.optional(),
  SERVICE_BUS_QUEUE: text.default(topology.queues.inbound.name),
  SERVICE_BUS_QUEUE_OUTBOUND: text.default(topology.queues.outbound.name),
  KEY_VAULT_URL: url.optional(),
  KEY_VAULT_NAME: text.optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  RATE_LIMITS: json.pipe(limitOverridesShape).default({ integrations: {}, incoming: {} }),
  RATE_LIMIT_PART_ALONE: z.coerce.number().gt(0).max(1).default(0.1),
  TRUSTED_PROXY_HOPS: z.coerce.number().int().min(0).max(10).default(0),
  SYNC_BATCH_SIZE: count(100, 1_000),
  SYNC_MAX_RETRIES: count(3, 20),
  SYNC_SLICE_SECONDS: count(240, 3_600),
  SYNC_SCHEDULE: text.default('0 0 * * * *'),
  SYNC_RELAY_SCHEDULE: text.default('30 * * * * *'),
  SYNC_PUSH_LEASE_SECONDS: count(60, 600),
  TOKEN_EXPIRY_THRESHOLD_MINUTES: count(60, 24 * 60),
  MAX_REFRESH_RETRIES: count(3, 10),
  TOKEN_REFRESH_SCHEDULE: text.default('0 0 */6 * * *'),
  PUBLIC_URL: url.optional(),
  WEBHOOK_SECRET: text,
  SIGNALR_CONNECTION_STRING: text.startsWith('Endpoint=').optional(),
  WEB_PUBSUB_CONNECTION_STRING: text.startsWith('Endpoint=').optional(),
  AUTH_ISSUERS: list.pipe(z.array(url).min(1)),
  AUTH_AUDIENCE: text.default('syncline'),
  AZURE_CLIENT_ID: text.optional(),
  WEBSITE_HOSTNAME: text.optional(),
  AzureWebJobsStorage: text.optional(),
  AzureWebJobsStorage__blobServiceUri: url.optional(),
})

/** Of each of these groups at least one must be set. */
const alternatives = [
  ['SERVICE_BUS_CONNECTION_STRING', 'SERVICE_BUS_NAMESPACE'],
  ['KEY_VAULT_URL', 'KEY_VAULT_NAME'],
  ['SIGNALR_CONNECTION_STRING', 'WEB_PUBSUB_CONNECTION_STRING'],
] as const

type OAuthClients = Readonly<
  Record<string, { readonly clientId: string; readonly clientSecret: string }>
>

/** Our registrations with vendors: `{VENDOR}_CLIENT_ID` and `{VENDOR}_CLIENT_SECRET`, of any vendor. */
function clientsOf(given: Readonly<Record<string, string | undefined>>): OAuthClients {
  const clients = Object.entries(given).flatMap(([name, clientId]) => {
    const vendor = /^([A-Z0-9]+)_CLIENT_ID$/.exec(name)?.[1]
    const clientSecret = vendor === undefined ? undefined : given[`${vendor}_CLIENT_SECRET`]
    if (
      vendor === undefined ||
      vendor === 'AZURE' ||
      clientId === undefined ||
      clientSecret === undefined
    )
      return []
    return [[vendor.toLowerCase(), { clientId, clientSecret }] as const]
  })
  return Object.fromEntries(clients)
}

/** A client id without its secret would be found out only when a token has ended. */
function halfClients(given: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(given).flatMap((name) => {
    const secret = `${/^([A-Z0-9]+)_CLIENT_ID$/.exec(name)?.[1]}_CLIENT_SECRET`
    const isWhole = !name.endsWith('_CLIENT_ID') || name === 'AZURE_CLIENT_ID' || secret in given
    return isWhole ? [] : [`  ${secret}: is missing (expected beside ${name})`]
  })
}

export type Settings = ReturnType<typeof toSettings>

/**
 * Reads the environment once. Throws one `settings_invalid` that names every bad variable and what was expected, and
 * prints no value: a malformed one may be a secret.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== ''),
  )
  const parsed = environmentShape.safeParse(given)
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => problemOf(issue, given)),
    ...alternatives
      .filter((names) => !names.some((name) => name in given))
      .map((names) => `  ${names.join(' or ')}: is missing (expected one of them)`),
    ...halfClients(given),
  ]
  if (parsed.success && problems.length === 0) {
    return toSettings(parsed.data, clientsOf(given))
  }
  throw new AppError(
    'settings_invalid',
    `The settings are not usable. Set these variables and start again:\n${problems.join('\n')}`,
  )
}

function problemOf(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string {
  const name = String(issue.path[0])
  return `  ${name}: is ${name in given ? 'malformed' : 'missing'} (${expectationOf(issue)})`
}

function expectationOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type')
    return `expected ${issue.expected === 'string' ? 'a text' : issue.expected}`
  if (issue.code === 'invalid_format') {
    return issue.format === 'starts_with'
      ? 'expected a connection string that begins with Endpoint='
      : `expected a ${issue.format}`
  }
  if (issue.code === 'too_small') return `expected at least ${String(issue.minimum)}`
  if (issue.code === 'too_big') return `expected at most ${String(issue.maximum)}`
  return 'expected another value'
}

function toSettings(env: z.infer<typeof environmentShape>, oauthClients: OAuthClients) {
  return {
    cosmos: {
      endpoint: env.COSMOS_ENDPOINT,
      key: env.COSMOS_KEY,
      database: env.COSMOS_DATABASE,
      containers: {
        ...Object.fromEntries(
          Object.entries(topology.containers).map(([key, { name }]) => [key, name]),
        ),
        tasks: env.COSMOS_CONTAINER,
        results: env.SYNC_RESULTS_CONTAINER,
        credentials: env.CREDENTIALS_CONTAINER,
      } as Readonly<Record<keyof typeof topology.containers, string>>, // every key of the topology is in it
    },
    serviceBus: {
      connectionString: env.SERVICE_BUS_CONNECTION_STRING,
      namespace: env.SERVICE_BUS_NAMESPACE,
      inboundQueue: env.SERVICE_BUS_QUEUE,
      outboundQueue: env.SERVICE_BUS_QUEUE_OUTBOUND,
    },
    keyVaultUrl: env.KEY_VAULT_URL ?? `https://${env.KEY_VAULT_NAME}.vault.azure.net`,
    limits: {
      redisUrl: env.REDIS_URL,
      overrides: env.RATE_LIMITS,
      partAlone: env.RATE_LIMIT_PART_ALONE,
      trustedProxyHops: env.TRUSTED_PROXY_HOPS,
    },
    realtime: {
      hub: topology.hub,
      signalR: env.SIGNALR_CONNECTION_STRING,
      webPubSub: env.WEB_PUBSUB_CONNECTION_STRING,
    },
    sync: {
      batchSize: env.SYNC_BATCH_SIZE,
      maxRetries: env.SYNC_MAX_RETRIES,
      sliceMs: env.SYNC_SLICE_SECONDS * 1_000,
      schedule: env.SYNC_SCHEDULE,
      relaySchedule: env.SYNC_RELAY_SCHEDULE,
      pushLeaseMs: env.SYNC_PUSH_LEASE_SECONDS * 1_000,
    },
    credentials: {
      expiryThresholdMs: env.TOKEN_EXPIRY_THRESHOLD_MINUTES * 60_000,
      maxRetries: env.MAX_REFRESH_RETRIES,
      schedule: env.TOKEN_REFRESH_SCHEDULE,
    },
    oauthClients,
    /** Where browsers reach the functions; undefined on a machine of one's own. */
    publicUrl: env.PUBLIC_URL,
    webhookSecret: env.WEBHOOK_SECRET,
    /** Where senders of webhooks reach us; some sign it. */
    webhookOrigin: env.PUBLIC_URL ?? `https://${env.WEBSITE_HOSTNAME ?? 'localhost'}`,
    blobs: {
      connectionString: env.AzureWebJobsStorage,
      url: env.AzureWebJobsStorage__blobServiceUri,
      container: topology.blobContainers.webhookPayloads.name,
    },
    auth: { issuers: env.AUTH_ISSUERS, audience: env.AUTH_AUDIENCE },
    managedIdentityClientId: env.AZURE_CLIENT_ID,
  } as const
}
