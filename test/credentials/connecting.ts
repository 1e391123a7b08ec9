import type { Caller } from '../../src/core/caller.ts'
import type { Connection } from '../../src/core/connection.ts'
import { newId, newSecret } from '../../src/core/ids.ts'
import type { Clock } from '../../src/core/time.ts'
import { limiter, type Limiter } from '../../src/rate-limit/limiter.ts'
import { tokenQuotaOf } from '../../src/rate-limit/quota.ts'
import type { Authorization } from '../../src/credentials/authorization.ts'
import type { Credential } from '../../src/credentials/credential.ts'
import { openCredentials, type AllPorts } from '../../src/credentials/credentials.ts'
import type { Provider } from '../../src/credentials/provider.ts'
import type { DeviceSession } from '../../src/credentials/session.ts'
import type { RefreshAudit } from '../../src/credentials/sweep.ts'
import { pause } from '../../src/adapters/pause.ts'
import { memoryCollection } from '../ports/memory-collection.ts'
import { memoryVault } from '../ports/memory-vault.ts'
import { silentLog } from './simulation.ts'

const SHORT_MS = 10

export const admin: Caller = {
  subject: 'an-admin',
  tenantId: 'tenant-1',
  roles: ['admin'],
  userId: 'an-admin',
}

export interface WorldOptions {
  readonly provider: (integrationId: string) => Provider | undefined
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  readonly connections: readonly Connection[]
  /** Of its own, for tests about them. */
  readonly limits?: Limiter
  readonly time?: { readonly clock: Clock; readonly pause: AllPorts['pause'] }
}

export function connectionTo(instanceUrl: string, more: Partial<Connection> = {}): Connection {
  return {
    id: 'conn-1',
    tenantId: 'tenant-1',
    integrationId: 'servicenow',
    label: 'an instance',
    config: { instanceUrl },
    credentialId: 'cred-1',
    ...more,
  }
}

/** All of credentials over a store and a vault in memory, with every outgoing call counted. */
export async function connecting({ provider, client, connections, ...more }: WorldOptions) {
  const stored = {
    credentials: memoryCollection<Credential>(),
    authorizations: memoryCollection<Authorization>(),
    sessions: memoryCollection<DeviceSession>(),
    audits: memoryCollection<RefreshAudit>(),
    connections: memoryCollection<Connection>(),
  }
  for (const document of connections) {
    await stored.connections.write([document.tenantId], [{ kind: 'create', document }])
  }
  const vault = memoryVault()
  const calls: string[] = []
  const told: string[] = []
  let aheadMs = 0
  const clock = more.time?.clock ?? (() => new Date(Date.now() + aheadMs))
  const ownLimits = limiter({
    shared: undefined,
    overrides: { integrations: {}, incoming: {} },
    partAlone: 1,
    clock,
    sleep: () => Promise.resolve(),
    log: silentLog,
  })
  const limits = more.limits ?? ownLimits
  const ports: AllPorts = {
    ...stored,
    vault,
    fetch: (input, init) => {
      calls.push(input instanceof Request ? input.url : String(input))
      return fetch(input, init)
    },
    quota: tokenQuotaOf(limits),
    providerOf: provider,
    clientOf: () => client,
    tellAdmins: async (credential, notice) => {
      told.push(`${credential.id} ${notice.code}`)
    },
    admit: async (who) => {
      const decision = await limits.admit({ endpoint: 'oauth-refresh', ...who })
      return decision.kind === 'allowed' ? undefined : decision.waitMs
    },
    // The twin answers in no time: nobody need wait as long as in the world.
    pause: more.time?.pause ?? ((ms, signal) => pause(Math.min(ms, SHORT_MS), signal)),
    clock,
    random: () => 0.5,
    newId: () => newId('refresh'),
    newSecret,
    log: silentLog,
  }
  const open = () => openCredentials(ports, { owner: newId('instance'), patienceMs: 600_000 })
  return {
    ...stored,
    ...open(),
    /** Another process over the same store and vault. */
    anotherInstance: open,
    vault,
    calls,
    told,
    advance: (ms: number) => {
      aheadMs += ms
    },
  }
}
