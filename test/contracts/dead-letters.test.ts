import { ServiceBusClient } from '@azure/service-bus'
import { describe, expect, test } from 'vitest'
import { startServiceBus } from '../../infra/local/service-bus/service-bus.ts'
import { openServiceBus } from '../../src/adapters/service-bus.ts'
import type { DeadLetters, DeadMessage } from '../../src/core/queue.ts'
import { memoryDeadLetters } from '../ports/memory-dead-letters.ts'

interface Opened extends AsyncDisposable {
  readonly deadLetters: DeadLetters
  /** A worker gives these up. */
  readonly bury: (ids: readonly string[]) => Promise<void>
  readonly goAway: () => void
}

const bodyOf = (id: string) => ({ id, digits: '0012345678901234567890' })

const implementations: Readonly<Record<string, () => Promise<Opened>>> = {
  'in memory': async () => {
    const deadLetters = memoryDeadLetters()
    return {
      deadLetters,
      bury: async (ids) => {
        for (const id of ids) deadLetters.waiting.push({ id, body: bodyOf(id), reason: 'why: so' })
      },
      goAway: () => deadLetters.goAway(),
      [Symbol.asyncDispose]: async () => {},
    }
  },
  'Service Bus': async () => {
    const emulator = await startServiceBus()
    const connectionString = emulator.settings['SERVICE_BUS_CONNECTION_STRING'] ?? ''
    const bus = openServiceBus({ connectionString })
    const client = new ServiceBusClient(connectionString)
    const sender = client.createSender('sync-outbound')
    const receiver = client.createReceiver('sync-outbound')
    return {
      deadLetters: bus.deadLettersOf('sync-outbound'),
      bury: async (ids) => {
        await sender.sendMessages(ids.map((messageId) => ({ messageId, body: bodyOf(messageId) })))
        for (const message of await receiver.receiveMessages(ids.length)) {
          const why = { deadLetterReason: 'why', deadLetterErrorDescription: 'so' }
          await receiver.deadLetterMessage(message, why)
        }
      },
      goAway: () => emulator.control.fail({ times: 1_000, condition: 'amqp:unauthorized-access' }),
      [Symbol.asyncDispose]: async () => {
        await client.close()
        await bus[Symbol.asyncDispose]()
        await emulator[Symbol.asyncDispose]()
      },
    }
  },
}

describe.for(Object.keys(implementations))('dead letters %s', (name) => {
  const open = async () => {
    const opened = await implementations[name]?.()
    if (!opened) throw new Error('unknown implementation')
    return opened
  }
  const keeping = () => {
    const kept: DeadMessage[] = []
    const keep = async (message: DeadMessage) => void kept.push(message)
    return { kept, keep }
  }

  test('are handed over with their body and the reason, and are gone then', async () => {
    await using here = await open()
    await here.bury(['m-1', 'm-2', 'm-3'])
    const { kept, keep } = keeping()
    expect(await here.deadLetters.take(2, keep)).toBe(2)
    expect(await here.deadLetters.take(10, keep)).toBe(1)
    expect(await here.deadLetters.take(10, keep)).toBe(0)
    expect(kept).toEqual(
      ['m-1', 'm-2', 'm-3'].map((id) => ({ id, body: bodyOf(id), reason: 'why: so' })),
    )
  })

  test('are empty where nothing was given up', async () => {
    await using here = await open()
    expect(await here.deadLetters.take(10, keeping().keep)).toBe(0)
  })

  test('that could not be kept stay', async () => {
    await using here = await open()
    await here.bury(['m-1', 'm-2'])
    const failing = here.deadLetters.take(10, () => Promise.reject(new Error('the store is away')))
    await expect(failing).rejects.toThrow('the store is away')
    const { kept, keep } = keeping()
    expect(await here.deadLetters.take(10, keep)).toBe(2)
    expect(kept).toMatchObject([{ id: 'm-1' }, { id: 'm-2' }])
  })

  test('say queue_unavailable when the bus is away', async () => {
    await using here = await open()
    here.goAway()
    await expect(here.deadLetters.take(1, keeping().keep)).rejects.toMatchObject({
      code: 'queue_unavailable',
    })
  })
})
