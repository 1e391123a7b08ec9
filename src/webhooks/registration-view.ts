import type { Collection, Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import type { WebhookPorts } from './ports.ts'
import { usageId, type Registration, type SecretRef, type SecretUsage } from './registration.ts'

type ViewPorts = Pick<WebhookPorts, 'registrations' | 'usage' | 'publicUrl'>

/** What people may see: no secret, but which there are and how often each was used. */
export interface RegistrationView extends Omit<Registration, 'secrets' | 'registrationId'> {
  readonly url: string
  readonly secrets: readonly (SecretRef & Partial<Pick<SecretUsage, 'count' | 'lastUsedAt'>>)[]
}

export interface Viewed {
  readonly registration: RegistrationView
  readonly etag: string
}

/** In no order; what is retired is among them. */
export async function listRegistrations(
  ports: ViewPorts,
  tenantId: string,
): Promise<readonly RegistrationView[]> {
  const found: RegistrationView[] = []
  const anyOf = [[{ field: 'tenantId', is: '=', value: tenantId } as const]]
  for await (const one of ports.registrations.query({ anyOf, limit: 1_000 })) {
    found.push(viewOf(ports, one.document, new Map()))
  }
  return found
}

export async function showRegistration(
  ports: ViewPorts,
  tenantId: string,
  id: string,
): Promise<Viewed> {
  return viewed(ports, await ownRegistration(ports, tenantId, id))
}

/** The registration if it is this tenant's; of another's it is said that there is none. */
export async function ownRegistration(
  { registrations }: { readonly registrations: Collection<Registration> },
  tenantId: string,
  id: string,
): Promise<Stored<Registration>> {
  const found = await registrations.get([id], id)
  if (found?.document.tenantId !== tenantId) {
    throw new AppError('registration_not_found', `there is no registration ${id}`)
  }
  return found
}

export async function viewed(
  ports: ViewPorts,
  { document, etag }: Stored<Registration>,
): Promise<Viewed> {
  const counts = await ports.usage.getMany(
    [document.id],
    document.secrets.map(({ id }) => usageId(id)),
  )
  const used = new Map(counts.map(({ document: count }) => [count.secretId, count]))
  return { registration: viewOf(ports, document, used), etag }
}

function viewOf(
  { publicUrl }: Pick<ViewPorts, 'publicUrl'>,
  { registrationId: _partition, ...registration }: Registration,
  used: ReadonlyMap<string, SecretUsage>,
): RegistrationView {
  return {
    ...registration,
    url: `${publicUrl}/webhooks/${registration.id}/events`,
    secrets: registration.secrets.map((secret) => {
      const usage = used.get(secret.id)
      return usage ? { ...secret, count: usage.count, lastUsedAt: usage.lastUsedAt } : secret
    }),
  }
}
