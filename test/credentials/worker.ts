import { once } from 'node:events'
import process from 'node:process'
import { z } from 'zod'
import { identityOf } from '../../infra/local/seed.ts'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import { openKeyVault } from '../../src/adapters/key-vault.ts'
import { pause } from '../../src/adapters/pause.ts'
import { newId } from '../../src/core/ids.ts'
import { credentialAccess } from '../../src/credentials/access.ts'
import type { CredentialPorts, CredentialRequest } from '../../src/credentials/ports.ts'
import { localProvider } from './local-provider.ts'

/**
 * An instance in a process of its own, with the real adapters. Says `ready`, begins at `go`, and reports what its callers
 * got. With `steps` it stops before and after every call of a port and waits for `go`: there it can be killed.
 */
const shape = z.object({
  settings: z.record(z.string(), z.string()),
  request: z.object({
    tenantId: z.string(),
    credentialId: z.string(),
    integrationId: z.string(),
    origin: z.string(),
  }),
  callers: z.number(),
  steps: z.boolean(),
  leaseMs: z.number(),
})
const { settings, request, callers, steps, leaseMs } = shape.parse(
  JSON.parse(process.env['WORKER'] ?? ''),
)

const send = (message: object) => process.send?.(message)
const go = () => once(process, 'message')

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (!steps) return work()
  send({ at: `before ${name}` })
  await go()
  const result = await work()
  send({ at: `after ${name}` })
  await go()
  return result
}

const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '', KEY_VAULT_URL = '' } = settings
using database = openCosmos({ endpoint, database: 'syncline', auth: { key } })
const credentials: CredentialPorts['credentials'] = database.collection('credentials')
const vault = openKeyVault(KEY_VAULT_URL, identityOf(settings))
const ports: CredentialPorts = {
  credentials: {
    ...credentials,
    write: (...args) => step('write', () => credentials.write(...args)),
  },
  vault: { ...vault, set: (...args) => step('set', () => vault.set(...args)) },
  fetch: (...args) => step('fetch', () => fetch(...args)),
  quota: { admit: async () => undefined, learnFrom: async () => {} },
  providerOf: localProvider,
  clientOf: () => ({
    clientId: settings['OAUTH_PROVIDER_CLIENT_ID'] ?? '',
    clientSecret: settings['OAUTH_PROVIDER_CLIENT_SECRET'] ?? '',
  }),
  tellAdmins: async (_credential, notice) => void send({ notice: notice.id }),
  // A stopped instance does not prolong its lease: each of its steps would be one more.
  pause: steps ? (_ms, signal) => untilAborted(signal) : pause,
  clock: () => new Date(),
  random: Math.random,
  newId: () => newId('refresh'),
  log: { info() {}, warn() {}, error() {}, metric() {} },
}

function untilAborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    signal?.addEventListener('abort', () => resolve(), { once: true })
    if (signal?.aborted) resolve()
  })
}

const access = credentialAccess(ports, {
  owner: newId('instance'),
  leaseMs,
  patienceMs: 5_000,
  maxTries: 3,
  timeoutMs: 60_000,
})

/** As a message that comes back: until there is an answer. */
async function ask(request: CredentialRequest): Promise<string> {
  for (;;) {
    const answer = await access.getCredential(request)
    if (answer.kind === 'authorized') return answer.headers['authorization'] ?? ''
    if (answer.kind === 'refused') return answer.code
    await pause(answer.afterMs)
  }
}

send({ ready: true })
await go()
const got = await Promise.all(Array.from({ length: callers }, () => ask(request)))
const answers = Object.fromEntries(
  [...new Set(got)].map((one) => [one, got.filter((other) => other === one).length]),
)
send({ answers })
process.disconnect()
