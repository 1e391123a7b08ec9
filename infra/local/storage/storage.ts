import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Control } from '../control.ts'
import type { Emulator } from '../emulator.ts'

export interface StorageOptions {
  /** TCP port of the blob service on 127.0.0.1; 0 or absent takes any free one. The same for the other two. */
  readonly port?: number
  readonly queuePort?: number
  readonly tablePort?: number
}

const ACCOUNT = 'devstoreaccount1'
/** Not a secret: every Azurite has it (Microsoft Learn, "Use the Azurite emulator", well-known storage account). */
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const SERVICES = ['Blob', 'Queue', 'Table'] as const
type Service = (typeof SERVICES)[number]

/**
 * Blobs, queues and tables by Azurite in a process of its own, in memory only; the Functions host needs them. Azurite
 * is somebody else's program: the control channel counts no calls, plans no faults, steps no clock of it.
 */
export async function startStorage(options: StorageOptions = {}): Promise<Emulator> {
  const child = fork(fileURLToPath(new URL('azurite.ts', import.meta.url)), argumentsOf(options), {
    cwd: tmpdir(),
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const addresses = await ready(child)
  const control = new Control(() => ({ processId: child.pid, ...Object.fromEntries(addresses) }))
  return {
    name: 'storage',
    settings: { AzureWebJobsStorage: connectionString(addresses) },
    control,
    [Symbol.asyncDispose]: async () => {
      control[Symbol.dispose]()
      await end(child)
    },
  }
}

function argumentsOf({ port = 0, queuePort = 0, tablePort = 0 }: StorageOptions): string[] {
  const ports = { blob: port, queue: queuePort, table: tablePort }
  return [
    '--inMemoryPersistence',
    '--disableTelemetry',
    // the SDKs are ahead of the API versions that Azurite knows
    '--skipApiVersionCheck',
    '--silent',
    ...Object.entries(ports).flatMap(([service, servicePort]) => [
      `--${service}Host`,
      '127.0.0.1',
      `--${service}Port`,
      String(servicePort),
    ]),
  ]
}

/** Waits for the lines with which Azurite says where each service listens. */
async function ready(child: ChildProcess): Promise<ReadonlyMap<Service, string>> {
  const addresses = new Map<Service, string>()
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('Azurite was started without pipes')
  const complaint = readAll(stderr)
  for await (const line of createInterface({ input: stdout })) {
    const service = SERVICES.find((name) => line.startsWith(`Azurite ${name} service is success`))
    const address = /https?:\/\/\S+/.exec(line)?.[0]
    if (service && address) addresses.set(service, address)
    if (addresses.size === SERVICES.length) break
  }
  stdout.resume()
  if (addresses.size === SERVICES.length) return addresses
  await end(child)
  throw new Error(`Azurite did not start: ${(await complaint).trim()}`)
}

async function readAll(stream: Readable): Promise<string> {
  let text = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream as AsyncIterable<string>) text += chunk // the encoding is set
  return text
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL') // nothing of it is on disk
  await exit
}

function connectionString(addresses: ReadonlyMap<Service, string>): string {
  const endpoints = [...addresses].map(([name, origin]) => `${name}Endpoint=${origin}/${ACCOUNT}`)
  return [
    'DefaultEndpointsProtocol=http',
    `AccountName=${ACCOUNT}`,
    `AccountKey=${ACCOUNT_KEY}`,
    ...endpoints,
  ].join(';')
}
