import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus'
import { describe, expect, test } from 'vitest'
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

/** What the simulator does to its ports happens to the adapters too, and there means the same. */
type Fault = 'refused' | 'answer lost'

interface Hooked {
  before?: (...asked: never[]) => unknown
  after?: (...asked: never[]) => unknown
}

/** Does what a port in memory is told to do at its next call. */
function hooks(port: Hooked, error: AppError) {
  return (fault: Fault) => {
    const strike = () => {
      delete port.before
      delete port.after
      throw error
    }
    port[fault === 'refused' ? 'before' : 'after'] = strike
  }
}

/** The code of what went wrong; undefined when nothing did. Clients may have tried again by themselves. */
async function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => codeOf(error),
  )
}

interface Thing {
  readonly id: string
  readonly tenantId: string
  readonly entityType: string
  readonly n: number
}

interface Store extends AsyncDisposable {
  readonly things: Collection<Thing>
  readonly fail: (fault: Fault) => void
}

const stores: Readonly<Record<string, () => Promise<Store>>> = {
  'in memory': async () => {
    const things = memoryCollection<Thing>()
    const fail = hooks(things, new AppError('store_unavailable', 'no answer'))
    return { things, fail, [Symbol.asyncDispose]: async () => {} }
  },
  'Cosmos DB': async () => {
    const cosmos = await startCosmos()
    const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
    const database = openCosmos({ endpoint, database: 'syncline', auth: { key } })
    return {
      things: database.collection('shards'),
      fail: (fault) =>
        cosmos.control.fail(
          fault === 'refused'
            ? { operation: 'docs', status: 403 }
            : { operation: 'docs', connection: 'lose-answer' },
        ),
      [Symbol.asyncDispose]: async () => {
        database[Symbol.dispose]()
        await cosmos[Symbol.asyncDispose]()
      },
    }
  },
}

const partition = ['tenant-a', 'incident'] as const
const thing = (id: string, n: number): Thing => ({
  id,
  tenantId: 'tenant-a',
  entityType: 'incident',
  n,
})

describe.for(Object.entries(stores))('a collection %s', ([, open]) => {
  test('that refuses a write has not done it, and does it when it is asked again', async () => {
    await using here = await open()
    const create = () => here.things.write(partition, [{ kind: 'create', document: thing('a', 1) }])
    here.fail('refused')
    expect(await failureOf(create())).toBe('store_unavailable')
    expect(await here.things.get(partition, 'a')).toBeUndefined()
    expect(await create()).toMatchObject({ committed: true })
  })

  test('that loses the answer to a create has it once, and whoever tries again is refused', async () => {
    await using here = await open()
    const create = (n: number) =>
      here.things.write(partition, [{ kind: 'create', document: thing('a', n) }])
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(await failureOf(create(1)))
    expect(await create(2)).toEqual({ committed: false, conflict: 0 })
    expect((await here.things.get(partition, 'a'))?.document.n).toBe(1)
  })

  test('that loses the answer to a conditional write has done it, and its tag is another', async () => {
    await using here = await open()
    await here.things.write(partition, [{ kind: 'create', document: thing('a', 1) }])
    const before = await here.things.get(partition, 'a')
    const replace = (n: number) =>
      here.things.write(partition, [
        { kind: 'replace', document: thing('a', n), etag: before?.etag ?? '' },
      ])
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(await failureOf(replace(2)))
    expect(await replace(3)).toEqual({ committed: false, conflict: 0 })
    const after = await here.things.get(partition, 'a')
    expect(after?.document.n).toBe(2)
    expect(after?.etag).not.toBe(before?.etag)
  })

  test('that loses the answer to several writes has done all of them', async () => {
    await using here = await open()
    const writes = ['a', 'b', 'c'].map(
      (id) => ({ kind: 'create', document: thing(id, 1) }) as const,
    )
    here.fail('answer lost')
    expect(['store_unavailable', undefined]).toContain(
      await failureOf(here.things.write(partition, writes)),
    )
    expect(await here.things.getMany(partition, ['a', 'b', 'c'])).toHaveLength(3)
  })
})

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

const LOCK_MS = 5 * 60_000
/** The client tries a message so often (src/adapters/service-bus.ts). */
const SEND_TRIES = 3

const buses: Readonly<Record<string, () => Promise<Bus>>> = {
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
    const receiver = client.createReceiver('sync-inbound', { maxAutoLockRenewalDurationInMs: 0 })
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
    return {
      queue: bus.queue('sync-inbound'),
      fail: (fault) =>
        emulator.control.fail(
          fault === 'refused'
            ? { operation: 'send', condition: 'amqp:unauthorized-access', times: SEND_TRIES }
            : { operation: 'send', connection: 'lose-answer' },
        ),
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

describe.for(Object.entries(buses))('a queue %s', ([, open]) => {
  const message = { id: 'm-1', body: { n: 1 } }

  test('that refuses a message does not have it', async () => {
    await using here = await open()
    here.fail('refused')
    expect(await failureOf(here.queue.send([message]))).toBe('queue_unavailable')
    expect(await here.take()).toBeUndefined()
  })

  test('that loses the answer to a message has it once, however often it is sent again', async () => {
    await using here = await open()
    here.fail('answer lost')
    expect(['queue_unavailable', undefined]).toContain(await failureOf(here.queue.send([message])))
    await here.queue.send([message])
    const first = await here.take()
    expect(first?.id).toBe('m-1')
    expect(await first?.complete()).toBe(true)
    expect(await here.take()).toBeUndefined()
  })

  test('gives a message to somebody else when its lock ends, and the first can settle it no more', async () => {
    await using here = await open()
    await here.queue.send([message])
    const first = await here.take()
    here.advance(LOCK_MS + 1_000)
    const second = await here.take()
    expect(second).toMatchObject({ id: 'm-1', deliveryCount: 1 })
    expect(await first?.complete()).toBe(false)
    expect(await second?.complete()).toBe(true)
  })

  test('counts what is given back, and takes it out of the way in the end', async () => {
    await using here = await open()
    await here.queue.send([message])
    const counts: number[] = []
    for (let taken = await here.take(); taken && counts.length < 20; taken = await here.take()) {
      counts.push(taken.deliveryCount)
      await taken.abandon()
    }
    const { maxDeliveryCount } = topology.queues.inbound
    expect(counts).toEqual(Array.from({ length: maxDeliveryCount }, (_, index) => index))
  })
})

interface Safe extends AsyncDisposable {
  readonly vault: Vault
  readonly fail: (fault: Fault) => void
}

const safes: Readonly<Record<string, () => Promise<Safe>>> = {
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
    return {
      vault: openKeyVault(emulator.settings['KEY_VAULT_URL'] ?? '', identityOf(identity.settings)),
      fail: (fault) =>
        emulator.control.fail(
          fault === 'refused'
            ? { operation: 'setSecret', status: 403 }
            : { operation: 'setSecret', connection: 'lose-answer' },
        ),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  },
}

describe.for(Object.entries(safes))('a vault %s', ([, open]) => {
  test('that refuses a secret keeps what it had', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    here.fail('refused')
    expect(await failureOf(here.vault.set('credential-a', 'two'))).toBe('vault_unavailable')
    expect(await here.vault.latest('credential-a')).toEqual({ value: 'one', version: first })
  })

  test('that loses the answer has the secret all the same, as its latest version', async () => {
    await using here = await open()
    const first = await here.vault.set('credential-a', 'one')
    here.fail('answer lost')
    expect(['vault_unavailable', undefined]).toContain(
      await failureOf(here.vault.set('credential-a', 'two')),
    )
    const latest = await here.vault.latest('credential-a')
    expect(latest?.value).toBe('two')
    expect(latest?.version).not.toBe(first)
    expect(await here.vault.get('credential-a', first)).toBe('one')
  })
})
