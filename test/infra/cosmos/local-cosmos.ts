import {
  CosmosClient,
  type Container,
  type ContainerRequest,
  type CosmosClientOptions,
} from '@azure/cosmos'
import { startCosmos, type CosmosOptions } from '../../../infra/local/cosmos/cosmos.ts'

/** A running emulator, and the stock client in its default configuration. */
export async function startLocal(options: CosmosOptions = {}) {
  const emulator = await startCosmos({ containers: 'none', ...options })
  const client = connect(emulator.settings)
  return {
    emulator,
    control: emulator.control,
    client,
    /** A new container, in a database of the tests. */
    async container(request: Partial<ContainerRequest> = {}): Promise<Container> {
      const { database } = await client.databases.createIfNotExists({ id: 'tests' })
      const { container } = await database.containers.create({
        id: 'things',
        partitionKey: { paths: ['/tenant'] },
        ...request,
      })
      return container
    },
    async [Symbol.asyncDispose]() {
      client.dispose()
      await emulator[Symbol.asyncDispose]()
    },
  }
}

/** The stock client in its default configuration, disposable. */
export function connect(settings: Readonly<Record<string, string>>): CosmosClient & Disposable {
  return clientOf({
    endpoint: settings['COSMOS_ENDPOINT'] ?? '',
    key: settings['COSMOS_KEY'] ?? '',
  })
}

export function clientOf(options: CosmosClientOptions | string): CosmosClient & Disposable {
  const client = typeof options === 'string' ? new CosmosClient(options) : new CosmosClient(options)
  return Object.assign(client, { [Symbol.dispose]: () => client.dispose() })
}

/** What a refused call says: its HTTP status and substatus. */
export async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
    return 'accepted'
  } catch (error) {
    // The client's ErrorResponse, which a batch wraps in a plain error.
    const { code, substatus } = (error instanceof Error ? (error.cause ?? error) : error) as {
      code: number
      substatus?: number
    }
    return substatus === undefined ? code : [code, substatus]
  }
}

/** The documents without what the service adds to them. */
export function bare(documents: readonly object[] | undefined): object[] {
  return (documents ?? []).map((document) =>
    Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith('_'))),
  )
}
