import { expect, test } from 'vitest'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import { startCosmos } from '../../infra/local/cosmos/cosmos.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

test('a query of one partition is one call; a query of all of them is planned first', async () => {
  await using cosmos = await startCosmos()
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '' } = cosmos.settings
  using database = openCosmos({ endpoint, database: 'syncline', auth: { key } })
  const tasks = database.collection<{ id: string; tenantId: string; status: string }>('sync-tasks')
  const document = { id: 'task', tenantId: 'tenant', status: 'pending' }
  await tasks.write(['tenant'], [{ kind: 'create', document }])
  const query = { anyOf: [[{ field: 'status', is: '=', value: 'pending' } as const]] }

  cosmos.control.resetCalls()
  const own = await all(tasks.query(query, ['tenant']))
  expect(await tasks.getMany(['tenant'], ['task'])).toEqual(own)
  expect(own.map((stored) => stored.document)).toEqual([document])
  expect(cosmos.control.calls()).toEqual({ 'POST docs query': 2 })

  cosmos.control.resetCalls()
  expect(await all(tasks.query(query))).toEqual(own)
  expect(cosmos.control.calls()).toMatchObject({ 'POST docs query-plan': 1 })
})
