import { InvocationContext } from '@azure/functions'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { AppError, type ErrorCode } from '../../src/core/errors.ts'
import { queueHandler, type UnreadableMessage } from '../../src/functions/queue.ts'

const shape = z.object({ taskId: z.string() })

async function deliver(
  body: unknown,
  { fails, defers = true }: { fails?: Error; defers?: boolean } = {},
) {
  const deferred: string[] = []
  const parked: UnreadableMessage[] = []
  const worked: unknown[] = []
  const handler = queueHandler({
    shape,
    work: async (message) => {
      worked.push(message)
      if (fails) throw fails
    },
    defer: async (_message, messageId) => {
      deferred.push(messageId)
      return defers
    },
    park: async (message) => {
      parked.push(message)
    },
  })
  const context = new InvocationContext({
    functionName: 'Worker',
    invocationId: 'i-1',
    triggerMetadata: { messageId: 'm-1' },
    logHandler: () => {},
  })
  const outcome = await Promise.resolve(handler(body, context)).then(
    () => 'completed',
    () => 'given back',
  )
  return { outcome, deferred, parked, worked }
}

test('a message that is worked on is completed', async () => {
  expect(await deliver({ taskId: 't' })).toMatchObject({
    outcome: 'completed',
    worked: [{ taskId: 't' }],
  })
})

test.for<[ErrorCode]>([
  ['store_unavailable'],
  ['queue_unavailable'],
  ['vault_unavailable'],
  ['conflict'],
])(
  'a passing failure (%s) becomes a later copy, and the delivery count is not touched',
  async ([code]) => {
    const result = await deliver({ taskId: 't' }, { fails: new AppError(code, 'away') })
    expect(result).toMatchObject({ outcome: 'completed', deferred: ['m-1'] })
  },
)

test('a message that was put off too often is given back, towards the dead-letter queue', async () => {
  const fails = new AppError('store_unavailable', 'away')
  expect(await deliver({ taskId: 't' }, { fails, defers: false })).toMatchObject({
    outcome: 'given back',
  })
})

test('an unknown failure is given back', async () => {
  expect(await deliver({ taskId: 't' }, { fails: new TypeError('a bug') })).toMatchObject({
    outcome: 'given back',
    deferred: [],
  })
})

test.for<[unknown, string]>([
  [{ taskId: 7 }, '{"taskId":7}'],
  ['no json', 'no json'],
  [12_345, '12345'],
  [Buffer.from([0xff, 0x00]), '/wA='],
  [undefined, 'null'],
])(
  'S22: a message that cannot be read (%j) is parked with its reason and its text',
  async ([body, payload]) => {
    const { outcome, parked, worked } = await deliver(body)
    expect([outcome, worked]).toEqual(['completed', []])
    expect(parked).toMatchObject([
      { messageId: 'm-1', payload, reason: expect.stringContaining(':') as string },
    ])
  },
)
