import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus'
import { startCosmos } from '../../infra/local/cosmos/cosmos.ts'
import { startIdentity } from '../../infra/local/identity/identity.ts'
import { startKeyVault } from '../../infra/local/key-vault/key-vault.ts'
import { identityOf } from '../../infra/local/seed.ts'
import { startServiceBus } from '../../infra/local/service-bus/service-bus.ts'
import { trustAuthority } from '../../infra/local/tls.ts'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import { openKeyVault } from '../../src/adapters/key-vault.ts'
import { openServiceBus } from '../../src/adapters/service-bus.ts'
import type { Collection } from '../../src/core/collection.ts'
import { AppError, codeOf } from '../../src/core/errors.ts'
import type { Queue } from '../../src/core/queue.ts'
import type { Vault } from '../../src/core/vault.ts'
import topology from '../../src/topology.json' with { type: 'json' }
import { lockingQueue } from '../ports/locking-queue.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryVault } from '../ports/memory-vault.ts'

/** The first three strike the next call, the others every one until `relented`. */
export type Fault =
  | 'refused'
  | 'late'
  | 'answer lost'
  | 'throttled'
  | 'throttled for long'
  | 'silent'
  | 'relented'

interface Hooked {
  before?: (...asked: never[]) => unknown
  after?: (...asked: never[]) => unknown
}

/** Does what a port in memory is told to do at its next calls. That a call is late means nothing without a wire. */
export function hooks(port: Hooked, error: AppError) {
  const refuse = () => {
    throw error
  }
  const strike = () => {
    relent()
    throw error
  }
  const relent = () => {
    delete port.before
    delete port.after
  }
  return (fault: Fault) => {
    relent()
    if (fault === 'refused') port.before = strike
    else if (fault === 'answer lost') port.after = strike
    else if (fault !== 'relented' && fault !== 'late') port.before = refuse
  }
}

/** The code of what went wrong; undefined when nothing did. Clients may have tried again by themselves. */
export async function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => codeOf(error),
  )
}

/** More calls than any client makes. */
const ALWAYS = 1_000_000
/** Longer than any call takes here, and shorter than anybody's patience. */
const LATE = { delayMs: 500 } as const
/** It takes a call, does nothing and refuses it at last; clients do not wait for that. */
const SILENT = { delayMs: 60_000, status: 503, times: ALWAYS } as const
/** How long a client waits here for an answer, or lets itself be put off. */
const PATIENCE_MS = 2_000

export interface Thing {
  readonly id: string
  readonly tenantId: string
  readonly entityType: string
  readonly n: number
}

export const partition = ['tenant-a', 'incident'] as const

export function thing(id: string, n: number): Thing {
  return { id, tenantId: 'tenant-a', entityType: 'incident', n }
}

interface Store extends AsyncDisposable {
  readonly things: Collection<Thing>
  readonly fail: (fault: Fault) => void
}

export const stores: Readonly<Record<string, () => Promise<Store>>> = {
  'in memory': async () => {
    const things = memoryCollection<Thing>()
    const fail = hooks(things, new AppError('store_unavailable', 'no answer'))
    return { things, fail, [Symbol.asyncDispose]: async () => {} }
  },
  'Cosmos DB': async () => {
    const cosmos = await startCosmos()
    const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
    const database = openCosmos({
      endpoint,
      database: 'syncline',
      auth: { key },
      patienceMs: PATIENCE_MS,
    })
    const throttle = (afterMs: number) => ({
      status: 429,
      times: ALWAYS,
      headers: { 'x-ms-retry-after-ms': String(afterMs) },
    })
    const faults = {
      refused: { status: 403 },
      late: LATE,
      'answer lost': { connection: 'lose-answer' },
      throttled: throttle(10),
      'throttled for long': throttle(3_600_000),
      silent: SILENT,
      relented: undefined,
    } as const
    return {
      things: database.collection('shards'),
      fail: (fault) => {
        cosmos.control.clearFaults()
        const planned = faults[fault]
        if (planned) cosmos.control.fail({ operation: 'docs', ...planned })
      },
      [Symbol.asyncDispose]: async () => {
        database[Symbol.dispose]()
        await cosmos[Symbol.asyncDispose]()
      },
    }
  },
}

interface Bus extends AsyncDisposable {
  readonly queue: Queue
  readonly fail: (fault: Fault) => void
  readonly take: () => Promise<Taken | undefined>
  readonly advance: (ms: number) => void
}

interface Taken {
  readonly id: string
  readonly deliveryCount: number
  /** False when the lock was lost before. */
  readonly complete: () => Promise<boolean>
  readonly abandon: () => Promise<void>
}

/** The client tries a message so often (src/adapters/service-bus.ts). */
const SEND_TRIES = 3

export const buses: Readonly<Record<string, () => Promise<Bus>>> = {
  'in memory': async () => {
    let nowMs = Date.now()
    const queue = lockingQueue(topology.queues.inbound, () => nowMs)
    return {
      queue,
      fail: hooks(queue, new AppError('queue_unavailable', 'no answer')),
      take: async () => {
        const delivery = queue.take()
        if (!delivery) return undefined
        const { id, deliveryCount, token } = delivery
        return {
          id,
          deliveryCount,
          complete: async () => queue.settle(token, 'complete'),
          abandon: async () => void queue.settle(token, 'abandon'),
        }
      },
      advance: (ms) => {
        nowMs += ms
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'Service Bus': async () => {
    const emulator = await startServiceBus()
    const connectionString = emulator.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
    const bus = openServiceBus({ connectionString })
    const client = new ServiceBusClient(connectionString)
    const receiver = client.createReceiver('sync-outbound', { maxAutoLockRenewalDurationInMs: 0 })
    const settled = (work: Promise<void>) =>
      work.then(
        () => true,
        () => false,
      )
    const taken = (message: ServiceBusReceivedMessage): Taken => ({
      id: String(message.messageId),
      deliveryCount: message.deliveryCount ?? 0,
      complete: () => settled(receiver.completeMessage(message)),
      abandon: () => receiver.abandonMessage(message),
    })
    const busy = { condition: 'com.microsoft:server-busy', times: ALWAYS } as const
    const faults = {
      refused: { condition: 'amqp:unauthorized-access', times: SEND_TRIES },
      late: LATE,
      'answer lost': { connection: 'lose-answer' },
      throttled: busy,
      'throttled for long': busy,
      silent: SILENT,
      relented: undefined,
    } as const
    return {
      queue: bus.queue('sync-outbound'),
      fail: (fault) => {
        emulator.control.clearFaults()
        const planned = faults[fault]
        if (planned) emulator.control.fail({ operation: 'send', ...planned })
      },
      take: async () => {
        const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 500 })
        return message && taken(message)
      },
      advance: (ms) => emulator.control.clock.advance(ms),
      [Symbol.asyncDispose]: async () => {
        await client.close()
        await bus[Symbol.asyncDispose]()
        await emulator[Symbol.asyncDispose]()
      },
    }
  },
}

interface Safe extends AsyncDisposable {
  readonly vault: Vault
  readonly fail: (fault: Fault) => void
}

export const safes: Readonly<Record<string, () => Promise<Safe>>> = {
  'in memory': async () => {
    const vault = memoryVault()
    const fail = hooks(vault, new AppError('vault_unavailable', 'no answer'))
    return { vault, fail, [Symbol.asyncDispose]: async () => {} }
  },
  'Key Vault': async () => {
    const stack = new AsyncDisposableStack()
    const identity = stack.use(await startIdentity())
    const emulator = stack.use(await startKeyVault({ verify: identity.verify }))
    stack.use(trustAuthority(emulator.settings['NODE_EXTRA_CA_CERTS'] ?? ''))
    const url = emulator.settings['KEY_VAULT_URL'] ?? ''
    const throttle = (headers: Readonly<Record<string, string>>) => ({
      operation: 'Secret',
      status: 429,
      times: ALWAYS,
      headers,
    })
    const faults = {
      refused: { operation: 'setSecret', status: 403 },
      late: { operation: 'setSecret', ...LATE },
      'answer lost': { operation: 'setSecret', connection: 'lose-answer' },
      throttled: throttle({}),
      'throttled for long': throttle({ 'retry-after': '3600' }),
      silent: { operation: 'Secret', ...SILENT },
      relented: undefined,
    } as const
    return {
      vault: openKeyVault(url, identityOf(identity.settings), { timeoutMs: PATIENCE_MS }),
      fail: (fault) => {
        emulator.control.clearFaults()
        const planned = faults[fault]
        if (planned) emulator.control.fail(planned)
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  },
}
