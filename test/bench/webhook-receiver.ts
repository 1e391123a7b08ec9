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
import { beside, quantile } from './harness.ts'
import { spent } from './tenants.ts'
import { incidentBodies } from './webhook-use-case.ts'

const REQUESTS = 4_000
/** What else the machine does changes from second to second: the parties take turns, so that it hits all of them. */
const TURNS = 8
const PROFILED = 12_000
const CONNECTIONS = [10, 50]
const id = 'reg-bench'
const secret = 'bench-secret'
const bareServer = fileURLToPath(new URL('webhook-floor.ts', import.meta.url))
const floorApp = path.dirname(fileURLToPath(new URL('webhook-floor-app/main.ts', import.meta.url)))

const parties = ['bare', 'floor', 'ours'] as const
type Party = (typeof parties)[number]
interface Driven {
  readonly perSecond: number
  /** Milliseconds within which 99 of a hundred were answered. */
  readonly p99: number
  readonly requestUnits: number
}
type Round = Readonly<Record<Party, Driven>>

/**
 * Signed webhooks over HTTP, to three parties: the receiver with host, queue and store; a bare function on the same host
 * that does the same to the same queue and store; a bare server that only checks and parses.
 */
export const webhookReceiver: Bench = {
  name: 'webhook-receiver',
  summary: `${REQUESTS} signed webhooks of about 3 kB over 10 and 50 connections, beside a bare function with the same I/O and a bare server that does HMAC and parse`,
  run: async (progress, rounds) => {
    // What is handed over stays in the queue: the receiver is measured, not the worker.
    const settings = { 'AzureWebJobs.SyncInboundWorker.Disabled': 'true' }
    await using running = await startRunning({ settings })
    const { connectionId } = demo
    await seedRegistration(running.stack, { id, connectionId, scheme: 'servicenow', secret })
    await running.writeSettings({ ...settings, BENCH_SECRET: secret })
    const next = signedCalls()
    using bare = await startBare()
    const figures: Figure[] = []
    {
      await using ours = await running.startFunctions()
      await using floor = await running.startFunctions({ root: floorApp })
      const urls = {
        bare: bare.url,
        floor: `${floor.url}/webhooks/reg-floor/events`,
        ours: `${ours.url}/webhooks/${id}/events`,
      }
      for (const connections of CONNECTIONS) {
        const measured: Round[] = []
        // The first round warms all of them up.
        for (let round = 0; round <= rounds; round += 1) {
          const at = round === 0 ? 'warming up' : `round ${round} of ${rounds}`
          progress(`${connections} connections, ${at}`)
          const driven = await driveAll(running, urls, { connections, next })
          if (round > 0) measured.push(driven)
        }
        figures.push(...figuresOf(`c${connections}`, measured))
      }
    }
    progress('10 connections: whose time it is')
    return [...figures, ...(await timeOf(running, next))]
  },
}

/** One round: every party gets as many calls, some of them in each turn. */
async function driveAll(
  running: Running,
  urls: Readonly<Record<Party, string>>,
  { connections, next }: { readonly connections: number; readonly next: Load['next'] },
): Promise<Round> {
  const ofOne = () => ({ took: [] as number[], ms: 0, requestUnits: 0 })
  const sums = { bare: ofOne(), floor: ofOne(), ours: ofOne() }
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const party of parties) {
      const sum = sums[party]
      const cost = await spent(running, async () => {
        const took = await drive(urls[party], connections, { count: REQUESTS / TURNS, next })
        sum.took.push(...took)
      })
      sum.ms += cost.ms
      sum.requestUnits += cost.requestUnits
    }
  }
  const driven = ({ took, ms, requestUnits }: ReturnType<typeof ofOne>): Driven => ({
    perSecond: REQUESTS / (ms / 1_000),
    p99: quantile(took, 0.99),
    requestUnits: requestUnits / REQUESTS,
  })
  return { bare: driven(sums.bare), floor: driven(sums.floor), ours: driven(sums.ours) }
}

function figuresOf(suffix: string, rounds: readonly Round[]): readonly Figure[] {
  const both = (unit: string, part: keyof Driven, against: Party) => ({
    unit,
    values: rounds.map(({ ours }) => ours[part]),
    floors: rounds.map((round) => round[against][part]),
  })
  const figures = {
    [`webhook_handler_${suffix}`]: both('req/s', 'perSecond', 'floor'),
    [`webhook_handler_${suffix}_p99`]: both('ms', 'p99', 'floor'),
    [`webhook_handler_${suffix}_charge`]: both('RU/req', 'requestUnits', 'floor'),
    [`webhook_receiver_${suffix}`]: both('req/s', 'perSecond', 'bare'),
    [`webhook_receiver_${suffix}_p99`]: both('ms', 'p99', 'bare'),
  }
  return Object.entries(figures).map(([name, { unit, ...sides }]) => beside({ name, unit }, sides))
}

/** Calls none of which was there before: each event has an id of its own. */
function signedCalls(): Load['next'] {
  const bodies = incidentBodies()
  let serial = 0
  return () => {
    serial += 1
    const body = bodies[serial % bodies.length] ?? ''
    const stamp = String(Math.floor(Date.now() / 1_000))
    const event = `bench-${serial}`
    const mac = createHmac('sha256', secret).update(`${stamp}.${event}.${body}`)
    return { body, stamp, event, signature: `sha256=${mac.digest('base64')}` }
  }
}

async function startBare() {
  const child = fork(bareServer, [secret], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [url] = (await once(child, 'message')) as [string] // it says where it listens
  return { url, [Symbol.dispose]: () => void child.kill() }
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
  await drive(`${functions.url}/webhooks/${id}/events`, 10, { count: PROFILED, next })
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

/** Milliseconds that each of so many calls took. */
async function drive(url: string, connections: number, { count, next }: Load) {
  using agent = Object.assign(new Agent({ keepAlive: true, maxSockets: connections }), {
    [Symbol.dispose]: () => agent.destroy(),
  })
  const took: number[] = []
  let left = count
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
  return took
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
