import { idOf } from '../core/ids.ts'
import type { WebhookPorts } from './ports.ts'
import { secretName } from './registration.ts'

/**
 * Keeps the secret that a vendor's first call brought. False when the registration does not wait for one (any more): it is
 * read from the store, for a cached one may be behind. Throws `vault_unavailable`, `store_unavailable`.
 */
export async function learnSecret(
  ports: Pick<WebhookPorts, 'registrations' | 'vault' | 'clock'>,
  registrationId: string,
  secret: string,
): Promise<boolean> {
  const stored = await ports.registrations.get([registrationId], registrationId)
  if (stored?.document.state !== 'pending') return false
  const createdAt = ports.clock().toISOString()
  const id = idOf('s', registrationId, createdAt).replaceAll(/[^A-Za-z0-9-]/g, '0')
  await ports.vault.set(secretName(registrationId, id), secret)
  const document = {
    ...stored.document,
    state: 'active' as const,
    secrets: [...stored.document.secrets, { id, purpose: 'signing' as const, createdAt }],
  }
  const written = await ports.registrations.write(
    [registrationId],
    [{ kind: 'replace', document, etag: stored.etag }],
  )
  return written.committed
}
