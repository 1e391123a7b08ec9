import type { Connection } from '../../../src/core/connection.ts'
import { deviceCredentialId, olderSecretName } from '../../../src/credentials/secret.ts'
import { registerCredential } from '../../../src/credentials/keep.ts'
import type { CredentialPorts } from '../../../src/credentials/ports.ts'
import { secretName, type Registration } from '../../../src/webhooks/registration.ts'
import type { Vault } from '../../../src/core/vault.ts'
import { registration } from '../../webhooks/receiver-world.ts'
import type { Faults } from '../faults.ts'
import { between } from '../world.ts'

/** Ids of tenants and of their connections that run into each other wherever parts are only joined. */
const hostile: readonly (readonly [string, string])[] = [
  ['acme', 'x:conn'],
  ['acme:x', 'conn'],
  ['acme%3Ax', 'conn'],
  ['acme,1:x', 'conn'],
  ['ACME', 'x:conn'],
  ['acme ', 'x:conn'],
  ['a\u0301cme', 'conn'],
  ['\u00e1cme', 'conn'],
  ['__proto__', 'constructor'],
  ['..', '../acme/x'],
  ['acme/../b', 'conn'],
  ['9'.repeat(100), 'conn'],
  ['limit:{in}:tenant', 'conn'],
  ['😀', 'conn'],
  ['null', 'undefined'],
  [`'; drop "--`, '"conn"'],
]

/** Hosts that read alike. Two tenants may even have the same. */
const origins = [
  'https://acme.service-now.com',
  'https://acme-service.now.com',
  'https://x-acme.service-now.com',
  'https://acme.service-now.com:8443',
] as const

/** Of every tenant. */
export const USERS = ['user1', 'user2'] as const
export const INTEGRATION = 'servicenow'
/** Whoever knows no better takes these for enough to tell things apart. */
const TASK = 'task-1'

export interface Tenant {
  readonly id: string
  readonly connectionId: string
  readonly origin: string
  readonly registrationId: string
  /** A word that stands in everything that is this tenant's, and nowhere else. */
  readonly canary: string
  readonly secret: string
}

export function tenantsOf(faults: Faults): readonly Tenant[] {
  const count = between(faults, 'tenants', [2, 5])
  const sorted = hostile
    .map((pair, index) => ({ pair, chance: faults.chance(`tenant ${index}`) }))
    .toSorted((a, b) => a.chance - b.chance)
  return sorted.slice(0, count).map(({ pair: [id, connectionId] }, index) => ({
    id,
    connectionId,
    origin: origins[Math.floor(faults.chance(`origin ${index}`) * origins.length)] ?? origins[0],
    registrationId: `reg-t${index}`,
    canary: `canary${index}x`,
    secret: `canary${index}x-secret-of-a-sender`,
  }))
}

export function registrationOf(tenant: Tenant): Registration {
  return {
    ...registration,
    id: tenant.registrationId,
    registrationId: tenant.registrationId,
    tenantId: tenant.id,
    connectionId: tenant.connectionId,
    expected: { note: tenant.canary },
  }
}

export function connectionOf({ id, connectionId, origin, canary }: Tenant): Connection {
  return {
    id: connectionId,
    tenantId: id,
    integrationId: INTEGRATION,
    label: canary,
    config: { instanceUrl: origin },
    credentialId: 'cred-1',
  }
}

export function targetOf() {
  return {
    taskId: TASK,
    entityType: 'incident',
    integrationId: INTEGRATION,
    syncMode: 'pull',
    priority: 'normal',
  }
}

/** What a person's phone was given, in one word that says whose it is. */
export const grantOf = ({ canary, origin }: Tenant, user: string) => `${canary}|${user}|${origin}`

/** The first person of each tenant is connected; of the second an older version of ours kept a token. */
export async function connectPhones(
  ports: Pick<CredentialPorts, 'credentials' | 'vault'>,
  tenants: readonly Tenant[],
): Promise<void> {
  const [first, second] = USERS
  for (const tenant of tenants) {
    const { id: tenantId, origin } = tenant
    const id = deviceCredentialId({ tenantId, userSysId: first, origin })
    const secret = { kind: 'refresh_token', refreshToken: grantOf(tenant, first) } as const
    await registerCredential(ports, { id, tenantId, integrationId: INTEGRATION, origin }, secret)
    const name = olderSecretName(second, origin)
    if (name !== undefined) await ports.vault.set(name, grantOf(tenant, second))
  }
}

export async function keepSecrets(vault: Vault, tenants: readonly Tenant[]): Promise<void> {
  for (const { registrationId, secret } of tenants) {
    await vault.set(secretName(registrationId, 's1'), secret)
  }
}
