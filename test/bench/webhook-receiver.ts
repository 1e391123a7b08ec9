import { createHmac } from 'node:crypto'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { demo, seedRegistration } from '../../infra/local/demo.ts'
import { startRunning, type Running } from '../system/running.ts'
import { owners, sharesOf, type CpuProfile } from './cpu-shares.ts'
import type { Bench, Figure } from './harness.ts'
import { quantile } from './harness.ts'
import { incidentBodies } from './webhook-use-case.ts'

const REQUESTS = 6_000
const WARM_UP = 3_000
const CONNECTIONS = [10, 50]
const id = 'reg-bench'
const floorServer = fileURLToPath(new URL('webhook-floor.ts', import.meta.url))

/** Signed webhooks over HTTP: a bare server that checks and parses, and the receiver with host, queue and store. */
export const webhookReceiver: Bench = {
  name: 'webhook-receiver',
  summary: `${REQUESTS} signed webhooks of about 3 kB over 10 and 50 connections, beside a bare server that does HMAC and parse`,
  run: async (progress) => {
    // What is handed over stays in the queue: the receiver is measured, not the worker.
    const settings = { 'AzureWebJobs.SyncInboundWorker.Disabled': 'true' }
    await using running = await startRunning({ settings })
    const secret = 'bench-secret'
    const { connectionId } = demo
    await seedRegistration(running.stack, { id, connectionId, scheme: 'servicenow', secret })
    const bodies = incidentBodies()
    const floor = fork(floorServer, [secret], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    using _floor = { [Symbol.dispose]: () => void floor.kill() }
    const [floorUrl] = (await once(floor, 'message')) as [string] // it says where it listens
    let serial = 0
    // Every event is another one: an id of its own.
    const next = () => {
      serial += 1
      const body = bodies[serial % bodies.length] ?? ''
      const stamp = String(Math.floor(Date.now() / 1_000))
      const event = `bench-${serial}`
      const mac = createHmac('sha256', secret).update(`${stamp}.${event}.${body}`)
      return { body, stamp, event, signature: `sha256=${mac.digest('base64')}` }
    }
    const figures: Figure[] = []
    await using functions = await running.startFunctions()
    for (const connections of CONNECTIONS) {
      progress(`${connections} connections: the floor`)
      await drive(floorUrl, connections, { count: WARM_UP, next })
      const bare = await drive(floorUrl, connections, { count: REQUESTS, next })
      progress(`${connections} connections: the receiver`)
      const url = `${functions.url}/webhooks/${id}/events`
      await drive(url, connections, { count: WARM_UP, next })
      const ours = await drive(url, connections, { count: REQUESTS, next })
      figures.push(
        {
          name: `webhook_receiver_c${connections}`,
          value: ours.perSecond,
          unit: 'req/s',
          floor: bare.perSecond,
        },
        {
          name: `webhook_receiver_c${connections}_p99`,
          value: quantile(ours.took, 0.99),
          unit: 'ms',
        },
      )
    }
    await functions[Symbol.asyncDispose]()
    progress('10 connections: whose time it is')
    return [...figures, ...(await timeOf(running, next))]
  },
}

/** Of the processors' time of one burst, in both processes: how much is whose. The sender's own is left out. */
async function timeOf(running: Running, next: Load['next']): Promise<readonly Figure[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'syncline-bench-'))
  await using _folder = {
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
  const { NODE_OPTIONS } = process.env
  process.env['NODE_OPTIONS'] = `${NODE_OPTIONS ?? ''} --cpu-prof --cpu-prof-dir=${folder}`
  const functions = await running.startFunctions()
  process.env['NODE_OPTIONS'] = NODE_OPTIONS ?? ''
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  await drive(`${functions.url}/webhooks/${id}/events`, 10, { count: 2 * REQUESTS, next })
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  await functions[Symbol.asyncDispose]()
  const files = await readdir(folder)
  const profiles = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(path.join(folder, file), 'utf8')
      return JSON.parse(text) as CpuProfile // written by Node
    }),
  )
  const shares = [profile, ...profiles].map(sharesOf)
  const microseconds = owners
    .filter((owner) => owner !== 'sender')
    .map((owner) => shares.reduce((sum, one) => sum + (one.get(owner) ?? 0), 0))
  const total = microseconds.reduce((sum, one) => sum + one, 0)
  return owners
    .filter((owner) => owner !== 'sender')
    .map((owner, index) => ({
      name: `webhook_receiver_time_${owner.replace(' ', '_')}`,
      value: (100 * (microseconds[index] ?? 0)) / total,
      unit: '%',
    }))
}

interface Load {
  readonly count: number
  readonly next: () => {
    readonly body: string
    readonly stamp: string
    readonly event: string
    readonly signature: string
  }
}

async function drive(url: string, connections: number, { count, next }: Load) {
  using agent = Object.assign(new Agent({ keepAlive: true, maxSockets: connections }), {
    [Symbol.dispose]: () => agent.destroy(),
  })
  const took: number[] = []
  let left = count
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left > 0) {
        left -= 1
        const before = performance.now()
        const status = await post(url, agent, next())
        if (status !== 200) throw new Error(`${url} answered ${status}`)
        took.push(performance.now() - before)
      }
    }),
  )
  return { perSecond: count / ((performance.now() - startedAt) / 1_000), took }
}

function post(
  url: string,
  agent: Agent,
  { body, stamp, event, signature }: ReturnType<Load['next']>,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const sending = request(url, {
    method: 'POST',
    agent,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-snow-signature': signature,
      'x-snow-timestamp': stamp,
      'x-snow-event-id': event,
    },
  })
  sending.on('error', reject)
  sending.on('response', (answer) => {
    answer.resume()
    answer.on('end', () => resolve(answer.statusCode ?? 0))
  })
  sending.end(body)
  return promise
}
