import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { DEFAULT_CREDENTIALS } from '../../infra/local/vendors/servicenow/accounts.ts'
import type { Stack } from '../../infra/local/stack.ts'

/** The bare loop that a pull, a push or single edits cannot do without. */
export interface FloorJob {
  readonly kind: 'pull' | 'push' | 'edit'
  readonly tenantId: string
}

export interface FloorPlace {
  readonly cosmosEndpoint: string
  readonly cosmosKey: string
  readonly instance: string
  readonly authorization: string
}

export interface Floor extends Disposable {
  /** Does the work in the other process, and tells how many rows it was about. */
  run(job: FloorJob): Promise<number>
}

const worker = fileURLToPath(new URL('floor-worker.ts', import.meta.url))

/** A process of its own, as the functions have one: it shares nothing with the emulators either. */
export function startFloor({ settings }: Stack): Floor {
  const { COSMOS_ENDPOINT = '', COSMOS_KEY = '', SERVICENOW_URL = '' } = settings
  const { userName, password } = DEFAULT_CREDENTIALS
  const place: FloorPlace = {
    cosmosEndpoint: COSMOS_ENDPOINT,
    cosmosKey: COSMOS_KEY,
    instance: SERVICENOW_URL,
    authorization: `Basic ${Buffer.from(`${userName}:${password}`).toString('base64')}`,
  }
  const child = fork(worker, [JSON.stringify(place)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(() => undefined)
  return {
    run: async (job) => {
      child.send(job)
      const said = await Promise.race([
        once(child, 'message').then(([rows]: unknown[]) => rows),
        ended,
      ])
      if (typeof said !== 'number') throw new Error('the floor ended before it was done')
      return said
    },
    [Symbol.dispose]: () => void child.kill(),
  }
}
