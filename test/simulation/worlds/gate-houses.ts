import type { SyncTarget } from '../../../src/webhooks/hand-over.ts'
import { secretName, type Registration } from '../../../src/webhooks/registration.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { registration, SECRET } from '../../webhooks/receiver-world.ts'

/** A registration, whose sender knows its secret. */
export interface House {
  readonly id: string
  readonly scheme: string
  readonly tenantId: string
  readonly entityType: string
  readonly secret: string
  readonly requestsPerMinute: number
}

/** What a registration takes at most: small, so that what is too large is small as well. */
export const MOST_BODY_BYTES = 32 * 1024
/** What one sender is allowed who wants far more. */
export const FLOOD_PER_MINUTE = 12
export const VERIFY_TOKEN = 'meaty-ham-hock'

function house(name: string, scheme: string, more: Partial<House> = {}): House {
  return {
    id: `reg-${name}`,
    scheme,
    tenantId: `tenant-${name}`,
    entityType: 'incident',
    secret: `${SECRET}-of-${name}`,
    requestsPerMinute: 6_000,
    ...more,
  }
}

export const houses = {
  snow: house('snow', 'servicenow'),
  /** Another tenant's, of the same vendor. */
  other: house('other', 'servicenow'),
  /** Whose sender floods. */
  flood: house('flood', 'servicenow', { requestsPerMinute: FLOOD_PER_MINUTE }),
  hub: house('hub', 'hubspot-v3', { entityType: 'contact' }),
  chat: house('chat', 'whatsapp', { entityType: 'message' }),
  slack: house('slack', 'slack'),
  zoom: house('zoom', 'zoom'),
  twitter: house('twitter', 'twitter'),
  graph: house('graph', 'microsoft-graph'),
} as const satisfies Record<string, House>

export const allHouses: readonly House[] = Object.values(houses)

export function targetOf({ id, entityType, scheme }: House): SyncTarget {
  return {
    taskId: `task-${id}`,
    entityType,
    integrationId: scheme,
    syncMode: 'pull',
    priority: 'normal',
  }
}

export const connectionOf = ({ id }: House) => `conn-${id}`

/** Registers all of them. */
export async function settle(
  { registrations, vault }: Pick<WebhookPorts, 'registrations' | 'vault'>,
  createdAt: string,
): Promise<void> {
  for (const one of allHouses) {
    const document: Registration = {
      ...registration,
      ...one,
      registrationId: one.id,
      connectionId: connectionOf(one),
      integrationId: one.scheme,
      maxBodyBytes: MOST_BODY_BYTES,
      secrets: [
        { id: 's1', purpose: 'signing', createdAt },
        ...(one.scheme === 'whatsapp'
          ? [{ id: 'v1', purpose: 'verify-token', createdAt } as const]
          : []),
      ],
      createdAt,
    }
    const { secret: _secret, entityType: _entityType, ...kept } = document as Registration & House // spread of both
    await registrations.write([one.id], [{ kind: 'create', document: kept }])
    await vault.set(secretName(one.id, 's1'), one.secret)
    if (one.scheme === 'whatsapp') await vault.set(secretName(one.id, 'v1'), VERIFY_TOKEN)
  }
}
