import type { Log } from '../core/log.ts'
import { explain } from '../core/errors.ts'
import type { Realtime } from './ports.ts'

/** Trouble with a credential that only people can end. */
export interface CredentialTrouble {
  readonly tenantId: string
  readonly credentialId: string
  readonly integrationId: string
  readonly id: string
  readonly code: string
  readonly reason: string
}

const texts: Readonly<Record<string, { readonly title: string; readonly body: string }>> = {
  reauth_required: {
    title: 'A connection must be authorized again',
    body: 'Its work waits until somebody connects it again.',
  },
  client_refused: {
    title: 'A vendor does not accept our OAuth client',
    body: 'Check the client id, its secret and its rights.',
  },
}

/** The group of a tenant's administrators. */
export function adminsOf(tenantId: string): string {
  return `admins-${tenantId}`
}

/**
 * Tells the people who can act: a line in the log that alerts watch, and the admins' phones. Phones that cannot be reached
 * are not waited for: the line is what counts.
 */
export async function tellAdmins(
  { realtimes, log }: { readonly realtimes: () => Promise<readonly Realtime[]>; readonly log: Log },
  trouble: CredentialTrouble,
): Promise<void> {
  const { tenantId, credentialId, integrationId, id, code, reason } = trouble
  const fields = { tenantId, credentialId, integrationId, code, noticeId: id }
  log.error(`token refresh failed: ${reason}`, fields)
  const text = texts[code] ?? { title: code, body: reason }
  const payload = { type: code, ...text, data: { id, credentialId, integrationId } }
  try {
    const services = await realtimes()
    await Promise.all(services.map((one) => one.sendToGroup(adminsOf(tenantId), payload)))
  } catch (error) {
    log.warn(`the admins' phones could not be reached: ${explain(error)}`, fields)
  }
}
