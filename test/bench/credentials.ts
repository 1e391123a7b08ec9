import { freshCredential, silentLog } from '../credentials/simulation.ts'
import { startCloud, startWorker, type Cloud } from '../credentials/cloud.ts'
import { localProvider } from '../credentials/local-provider.ts'
import { TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { pause } from '../../src/adapters/pause.ts'
import { newId } from '../../src/core/ids.ts'
import { credentialAccess } from '../../src/credentials/access.ts'
import { defaultOptions } from '../../src/credentials/ports.ts'
import { summarize, type Bench } from './harness.ts'

const RUNS = 30
const PROCESSES = 8
const CALLERS = 125
const MEMORY_CALLS = 200_000

/** What a token costs: from memory, by a refresh, and for a thousand callers who all find it ended. */
export const credentials: Bench = {
  name: 'credentials',
  summary: 'tokens from memory, by a refresh, and for a thousand callers in eight processes',
  run: async (progress) => {
    await using cloud = await startCloud('zendesk')
    const refreshes: number[] = []
    const floors: number[] = []
    for (let index = 0; index < RUNS; index += 1) {
      progress(`refresh ${index + 1} of ${RUNS}`)
      const request = await cloud.connect(`cred-${index}`)
      const access = open(cloud)
      refreshes.push(await timed(() => access.getCredential(request)))
      floors.push(await timed(() => bareRefresh(cloud, index)))
    }
    const request = await cloud.connect('cred-memory')
    const access = open(cloud)
    await access.getCredential(request)
    progress('from memory')
    const memoryMs = await timed(async () => {
      for (let call = 0; call < MEMORY_CALLS; call += 1) await access.getCredential(request)
    })
    progress(`${PROCESSES} processes`)
    const crowd = await crowdRefresh(cloud)
    return [
      {
        ...summarize({ name: 'credential_refresh_ms', unit: 'ms' }, refreshes),
        floor: summarize({ name: '', unit: 'ms' }, floors).value,
      },
      {
        name: 'credential_from_memory',
        value: MEMORY_CALLS / (memoryMs / 1_000),
        unit: '1/s',
      },
      { name: 'credential_1000_callers_8_processes_ms', value: crowd.ms, unit: 'ms' },
      { name: 'credential_1000_callers_refreshes', value: crowd.calls, unit: 'calls', floor: 1 },
    ]
  },
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function open({ credentials, vault }: Cloud) {
  return credentialAccess(
    {
      credentials,
      vault,
      fetch,
      quota: { admit: async () => undefined, learnFrom: async () => {} },
      providerOf: localProvider,
      clientOf: () => TWIN_CLIENT,
      tellAdmins: async () => {},
      pause,
      clock: () => new Date(),
      random: Math.random,
      newId: () => newId('refresh'),
      log: silentLog,
    },
    { ...defaultOptions, owner: newId('instance') },
  )
}

/** What nobody can do without: read the document and the secret, ask, store the pair, say that it counts. */
async function bareRefresh({ credentials, vault, provider, settings }: Cloud, index: number) {
  const id = `bare-${index}`
  const document = { ...freshCredential, id }
  await credentials.get(['tenant-1'], id)
  await vault.latest(`credential-${id}`)
  await fetch(`${settings['OAUTH_PROVIDER_URL']}/oauth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'refresh_token',
      refresh_token: provider.control.families.connect(),
      client_id: TWIN_CLIENT.clientId,
      client_secret: TWIN_CLIENT.clientSecret,
    }),
  }).then((response) => response.text())
  await vault.set(`credential-${id}`, 'x'.repeat(300))
  await credentials.write(['tenant-1'], [{ kind: 'upsert', document }])
}

async function crowdRefresh(cloud: Cloud): Promise<{ ms: number; calls: number }> {
  const request = await cloud.connect('cred-crowd')
  await using running = new AsyncDisposableStack()
  const workers = Array.from({ length: PROCESSES }, () =>
    running.use(startWorker(cloud, { request, callers: CALLERS, steps: false, leaseMs: 10_000 })),
  )
  await Promise.all(workers.map((worker) => worker.next()))
  cloud.provider.control.resetCalls()
  const ms = await timed(async () => {
    for (const worker of workers) worker.go()
    await Promise.all(workers.map((worker) => worker.next()))
  })
  return { ms, calls: cloud.provider.control.calls()['token'] ?? 0 }
}
