import { fork, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { z } from 'zod'
import { startCosmos } from '../../infra/local/cosmos/cosmos.ts'
import { identityOf } from '../../infra/local/demo.ts'
import { startIdentity } from '../../infra/local/identity/identity.ts'
import { startKeyVault } from '../../infra/local/key-vault/key-vault.ts'
import type { ProfileName } from '../../infra/local/oauth/profiles.ts'
import { startOAuthProvider } from '../../infra/local/oauth/provider.ts'
import { trustAuthority } from '../../infra/local/tls.ts'
import { openCosmos } from '../../src/adapters/cosmos.ts'
import { openKeyVault } from '../../src/adapters/key-vault.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import { parseSecret, secretName } from '../../src/credentials/secret.ts'

export type Cloud = Awaited<ReturnType<typeof startCloud>>

/** The store, the vault and a vendor's authorization server, with one credential whose token has ended. */
export async function startCloud(profile: ProfileName) {
  await using starting = new AsyncDisposableStack()
  const cosmos = starting.use(await startCosmos())
  const identity = starting.use(await startIdentity())
  const keyVault = starting.use(await startKeyVault({ verify: identity.verify }))
  const provider = starting.use(await startOAuthProvider({ profile }))
  starting.use(trustAuthority(keyVault.settings['NODE_EXTRA_CA_CERTS'] ?? ''))
  const settings: Readonly<Record<string, string>> = Object.assign(
    {},
    ...[cosmos, identity, keyVault, provider].map((one) => one.settings),
  ) as Record<string, string> // each emulator's settings are texts
  const { COSMOS_ENDPOINT: endpoint = '', COSMOS_KEY: key = '', KEY_VAULT_URL = '' } = settings
  const database = starting.use(openCosmos({ endpoint, database: 'syncline', auth: { key } }))
  const credentials = database.collection<Credential>('credentials')
  const vault = openKeyVault(KEY_VAULT_URL, identityOf(settings))
  const owned = starting.move()
  return {
    settings,
    provider,
    credentials,
    vault,
    keyVault,
    /** A credential of its own, with a grant of its own. */
    connect: async (id: string) => {
      const refreshToken = provider.control.families.connect()
      await vault.set(secretName(id), JSON.stringify({ kind: 'refresh_token', refreshToken }))
      const document: Credential = {
        id,
        tenantId: 'tenant-1',
        integrationId: profile,
        type: 'oauth2',
        expiryTime: null,
        enabled: true,
        needsReauth: false,
        refreshCount: 0,
      }
      await credentials.write(['tenant-1'], [{ kind: 'create', document }])
      const origin = settings['OAUTH_PROVIDER_URL'] ?? ''
      return { tenantId: 'tenant-1', credentialId: id, integrationId: profile, origin }
    },
    /** What counts now. */
    read: async (id: string) => {
      const document = (await credentials.get(['tenant-1'], id))?.document
      if (!document) throw new Error(`${id} is gone`)
      const text = await vault.get(secretName(id), document.secretVersion)
      const secret = parseSecret(text ?? '')
      if (secret?.kind !== 'refresh_token') throw new Error(`${id} has no secret`)
      return { document, secret }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const messageShape = z.object({
  ready: z.boolean().optional(),
  at: z.string().optional(),
  notice: z.string().optional(),
  answers: z.record(z.string(), z.number()).optional(),
})
type Message = z.infer<typeof messageShape>

export interface WorkerOptions {
  readonly request: object
  readonly callers: number
  readonly steps: boolean
  readonly leaseMs: number
}

export interface Worker extends AsyncDisposable {
  /** The next thing that it says; undefined when it has ended. */
  next(): Promise<Message | undefined>
  go(): void
  kill(): Promise<void>
}

/** An instance in a process of its own. */
export function startWorker({ settings }: Cloud, options: WorkerOptions): Worker {
  const child = fork(path.join(import.meta.dirname, 'worker.ts'), {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: settings['NODE_EXTRA_CA_CERTS'],
      WORKER: JSON.stringify({ settings, ...options }),
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const said: Message[] = []
  const waiting: ((message: Message | undefined) => void)[] = []
  let isOver = false
  child.on('message', (raw) => {
    const message = messageShape.parse(raw)
    const waiter = waiting.shift()
    if (waiter) waiter(message)
    else said.push(message)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      isOver = true
      for (const waiter of waiting.splice(0)) waiter(undefined)
      resolve()
    })
  })
  return {
    next: () => {
      const message = said.shift()
      if (message || isOver) return Promise.resolve(message)
      return new Promise((resolve) => waiting.push(resolve))
    },
    go: () => void child.send({ go: true }),
    kill: async () => {
      kill(child)
      await ended
    },
    [Symbol.asyncDispose]: async () => {
      kill(child)
      await ended
    },
  }
}

function kill(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
}
