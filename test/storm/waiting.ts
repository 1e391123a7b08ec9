import { ServiceBusAdministrationClient } from '@azure/service-bus'
import type { CosmosClient } from '@azure/cosmos'
import topology from '../../src/topology.json' with { type: 'json' }
import type { PusherDocument, ShardDocument, StreamDocument } from '../../src/sync/record.ts'
import type { Task } from '../../src/sync/task.ts'
import type { Stack } from '../../infra/local/stack.ts'

/** For an emulator that speaks plain HTTP. */
export function administrationOf({ settings }: Stack): ServiceBusAdministrationClient {
  const admin = new ServiceBusAdministrationClient(
    settings['SERVICE_BUS_ADMIN_CONNECTION_STRING'] ?? '',
  )
  admin.pipeline.addPolicy({
    name: 'plainHttp',
    sendRequest: (request, next) => {
      request.url = request.url.replace(/^https:/, 'http:')
      request.allowInsecureConnection = true
      return next(request)
    },
  })
  return admin
}

export interface Looking {
  readonly cosmos: CosmosClient
  readonly admin: ServiceBusAdministrationClient
  readonly tenantId: string
  readonly entityType: string
}

/** Where the work is: what waits for which connection and until when, in one line. */
export interface Standing {
  readonly pending: number
  /** When the newest finished run over each stream began. */
  readonly finishedRuns: ReadonlyMap<string, string>
  readonly text: string
}

export async function standingOf({
  cosmos,
  admin,
  tenantId,
  entityType,
}: Looking): Promise<Standing> {
  const database = cosmos.database(topology.database)
  const read = async <T>(
    container: keyof typeof topology.containers,
    query: string,
    partitionKey: string[],
  ): Promise<T[]> => {
    const { name } = topology.containers[container]
    const found = await database.container(name).items.query<T>(query, { partitionKey }).fetchAll()
    return found.resources
  }
  const shard = [tenantId, entityType]
  const waiting = await read<Waiting>('shards', PENDING, shard)
  const workers = await read<ShardDocument>('shards', WORKERS, shard)
  const tasks = await read<Task>('tasks', 'SELECT * FROM c', [tenantId])
  const credentials = await read<Credential>('credentials', 'SELECT * FROM c', [tenantId])
  const queues = await Promise.all(
    Object.values(topology.queues).map(({ name }) => admin.getQueueRuntimeProperties(name)),
  )
  const streams = workers.filter((one): one is StreamDocument => one.kind === 'stream')
  const pushers = workers.filter((one): one is PusherDocument => one.kind === 'pusher')
  const now = new Date().toISOString()
  return {
    pending: waiting.length,
    finishedRuns: new Map(
      streams.flatMap(({ connectionId, run }) =>
        run?.finished === true && !run.error ? [[connectionId, run.startedAt]] : [],
      ),
    ),
    text: [
      `${waiting.length} waiting`,
      ...pushers.map((pusher) => pusherText(pusher, waiting, now)),
      ...streams.flatMap(({ connectionId, run }) =>
        run?.error ? [`${connectionId} run failed: ${run.error.message}`] : [],
      ),
      ...tasks.flatMap(({ id, status, claim }) =>
        status === 'running' || status === 'queued'
          ? [`${id} ${status}${claim ? ` offer ${claim.offer}` : ''}`]
          : [],
      ),
      ...credentials.flatMap(({ id, needsReauth }) =>
        needsReauth ? [`${id} needs a person`] : [],
      ),
      ...queues.map(
        (queue) =>
          `${queue.name} ${queue.activeMessageCount}+${queue.scheduledMessageCount} later` +
          (queue.deadLetterMessageCount > 0 ? `, ${queue.deadLetterMessageCount} dead` : ''),
      ),
    ].join(' · '),
  }
}

interface Waiting {
  readonly pending: readonly string[]
  readonly links: Readonly<Record<string, { readonly retryAt?: string }>>
}

interface Credential {
  readonly id: string
  readonly needsReauth?: boolean
}

const PENDING = 'SELECT c.pending, c.links FROM c WHERE ARRAY_LENGTH(c.pending) > 0'
const WORKERS = "SELECT * FROM c WHERE c.kind = 'stream' OR c.kind = 'pusher'"

function pusherText(
  { connectionId, notBefore, leaseUntil, failures, waitsFor }: PusherDocument,
  waiting: readonly Waiting[],
  now: string,
): string {
  const mine = waiting.filter(({ pending }) => pending.includes(connectionId))
  const later = mine.flatMap(({ links }) => links[connectionId]?.retryAt ?? []).sort()[0]
  return [
    `${connectionId} ${mine.length}`,
    leaseUntil > now ? 'writing' : '',
    notBefore !== null && notBefore > now
      ? `paused until ${timeOf(notBefore)}: ${waitsFor ?? ''}`
      : '',
    failures > 0 ? `${failures} failures` : '',
    later !== undefined && later > now ? `retries from ${timeOf(later)}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}

function timeOf(instant: string): string {
  return instant.slice(11, 19)
}
