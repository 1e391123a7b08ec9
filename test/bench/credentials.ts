import process from 'node:process'
import type { Provider } from '../../src/credentials/provider.ts'
import { credentialAccess } from '../../src/credentials/access.ts'
import { secretName } from '../../src/credentials/secret.ts'
import { freshCredential, key, silentLog, vendor } from '../credentials/simulation.ts'
import { memoryProvider } from '../credentials/memory-provider.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryVault } from '../ports/memory-vault.ts'
import type { Credential } from '../../src/credentials/credential.ts'

/** How many answers a second from memory, and how many callers share one refresh. `--json`: an object a line. */
const CALLS = 200_000
const CALLERS = 10_000

const provider: Provider = vendor({ kind: 'single_use' })
const server = memoryProvider(provider.rotation, () => Date.now())
const credentials = memoryCollection<Credential>()
const vault = memoryVault()
const secret = { kind: 'refresh_token', refreshToken: server.connect() }
await vault.set(secretName(key.credentialId), JSON.stringify(secret))
await credentials.write([key.tenantId], [{ kind: 'create', document: freshCredential }])
let ids = 0
const access = credentialAccess(
  {
    credentials,
    vault,
    fetch: async (_url, init) => {
      const form = new URLSearchParams(typeof init?.body === 'string' ? init.body : '')
      const { status, body } = server.refresh(form.get('refresh_token') ?? '')
      return Response.json(body, { status })
    },
    providerOf: () => provider,
    clientOf: () => ({ clientId: 'client', clientSecret: 'secret' }),
    tellAdmins: async () => {},
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    clock: () => new Date(),
    random: Math.random,
    newId: () => `id-${(ids += 1)}`,
    log: silentLog,
  },
  { owner: 'bench', leaseMs: 10_000, patienceMs: 5_000, maxTries: 3, timeoutMs: 60_000 },
)
const request = { ...key, origin: 'https://vendor.example' }

await Promise.all(Array.from({ length: CALLERS }, () => access.getCredential(request)))
tell('credentials_refreshes_for_10000_callers', server.counts.calls, 'calls')
const startedAt = performance.now()
for (let call = 0; call < CALLS; call += 1) await access.getCredential(request)
const seconds = (performance.now() - startedAt) / 1_000
tell('credentials_from_memory', Math.round(CALLS / seconds), '1/s')

function tell(name: string, value: number, unit: string): void {
  const line = process.argv.includes('--json')
    ? JSON.stringify({ name, value, unit })
    : `${name}: ${value} ${unit}`
  process.stdout.write(`${line}\n`)
}
