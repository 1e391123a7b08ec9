import { setTimeout as delay } from 'node:timers/promises'
import { SecretClient } from '@azure/keyvault-secrets'
import topology from '../../src/topology.json' with { type: 'json' }
import { demo } from '../../infra/local/demo.ts'
import { cosmosClient, identityOf } from '../../infra/local/seed.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { trustAuthority } from '../../infra/local/tls.ts'
import type { Task } from '../../src/sync/task.ts'
import { fireTimer, type Running } from './running.ts'

export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await delay(50)
}

type Name = keyof typeof topology.containers

export async function store(running: Running, name: Name, document: object): Promise<void> {
  using client = cosmosClient(running.stack)
  const container = client.database(topology.database).container(topology.containers[name].name)
  await container.items.upsert(document)
}

export async function read<T>(running: Running, name: Name, id: string): Promise<T> {
  using client = cosmosClient(running.stack)
  const container = client.database(topology.database).container(topology.containers[name].name)
  const query = {
    query: 'SELECT * FROM c WHERE c.id = @id',
    parameters: [{ name: '@id', value: id }],
  }
  const { resources } = await container.items.query<T>(query).fetchAll()
  const [found] = resources
  if (!found) throw new Error(`${name} has no ${id}`)
  return found
}

/** The vault, as its owner sees it. */
export function vaultOf({ stack: { settings } }: Running) {
  const { KEY_VAULT_URL = '', NODE_EXTRA_CA_CERTS = '' } = settings
  const trust = trustAuthority(NODE_EXTRA_CA_CERTS)
  const client = new SecretClient(KEY_VAULT_URL, identityOf(settings), {
    disableChallengeResourceVerification: true,
  })
  return { client, [Symbol.dispose]: () => trust[Symbol.dispose]() }
}

export async function bearer(running: Running, subject: string, roles: string[] = ['admin']) {
  const { issuer } = running.stack
  const minted = await issuer.control.mint({ subject, tenantId: demo.tenantId, roles })
  return { authorization: `Bearer ${minted.token}` }
}

/** No slot of the demo's task comes by itself while a test runs. */
export async function runYearly(running: Running): Promise<void> {
  const task = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...task, schedule: '0 0 0 1 1 *' })
}

export async function runTask(running: Running, functions: FunctionsProcess): Promise<void> {
  const task = await read<Task>(running, 'tasks', demo.taskId)
  await store(running, 'tasks', { ...task, status: 'pending', claim: null, nextScheduled: null })
  await fireTimer(running, functions, 'SyncScheduler')
  await until(async () => {
    const { status } = await read<Task>(running, 'tasks', demo.taskId)
    return status === 'completed' || status === 'failed'
  })
}
