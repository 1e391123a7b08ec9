import type { Stored } from '../core/collection.ts'
import { idOf } from '../core/ids.ts'
import { MINUTE_MS, SECOND_MS } from '../core/time.ts'
import { cooling, flagged, type Credential, type Failure, type Notice } from './credential.ts'
import { replace } from './lease.ts'
import type { CredentialPorts } from './ports.ts'

/** How a refresh ended that brought no token. */
export type Trouble =
  /** Somebody else has changed it: look again. */
  | { readonly kind: 'again' }
  | {
      readonly kind: 'retry'
      readonly reason: string
      readonly afterMs: number
      readonly limited?: true
    }
  | { readonly kind: 'reauth'; readonly reason: string }

const again = { kind: 'again' } as const

/** Writes down that the provider is not to be asked for a while. */
export async function coolDown(
  ports: CredentialPorts,
  stored: Stored<Credential>,
  failure: Failure & { readonly notice?: 'client_refused' },
): Promise<Trouble> {
  const { document } = stored
  const isNews = failure.notice !== undefined && document.clientRefused !== true
  const cooled = cooling(document, failure)
  const next: Credential = isNews
    ? { ...cooled, clientRefused: true, notice: noticeOf(document, 'client_refused', failure) }
    : cooled
  const written = await replace(ports, stored, next)
  if (!written) return again
  const { reason, limited } = failure
  // `failed` is a word that alerts watch.
  if (limited) ports.log.info(`token refresh put off: ${reason}`, { credentialId: document.id })
  else ports.log.warn(`token refresh failed: ${reason}`, { credentialId: document.id })
  if (isNews) await tell(ports, written)
  const until = new Date(next.cooldown?.until ?? failure.now)
  const afterMs = Math.max(SECOND_MS, until.getTime() - failure.now.getTime())
  return { kind: 'retry', reason, afterMs, ...(limited ? { limited } : {}) }
}

/** A person must connect again; the admins are told, by whoever's write it was. */
export async function flag(
  ports: CredentialPorts,
  stored: Stored<Credential>,
  reason: string,
): Promise<Trouble> {
  const { document } = stored
  const notice = noticeOf(document, 'reauth_required', { reason, now: ports.clock() })
  const written = await replace(ports, stored, flagged(document, notice))
  if (!written) return again
  await tell(ports, written)
  return { kind: 'reauth', reason }
}

function noticeOf(
  { tenantId, id, epoch = 0 }: Credential,
  code: Notice['code'],
  { reason, now }: { readonly reason: string; readonly now: Date },
): Notice {
  const noticeId = idOf('notice', tenantId, id, code, String(epoch))
  return { id: noticeId, code, reason, since: now.toISOString() }
}

/** Tells what the document says is still to be told, and strikes it out. */
async function tell(ports: CredentialPorts, stored: Stored<Credential>): Promise<void> {
  const { notice } = stored.document
  if (!notice) return
  await ports.tellAdmins(stored.document, notice)
  await replace(ports, stored, { ...stored.document, notice: null })
}

/** A notice that stands so long has nobody any more who is about to tell it. */
const LEFT_BEHIND_MS = MINUTE_MS

/** Tells a notice whose teller died. Of many who find it one does. */
export async function tellLeftBehind(
  ports: CredentialPorts,
  stored: Stored<Credential>,
): Promise<void> {
  const { notice } = stored.document
  const now = ports.clock()
  if (!notice || now.getTime() - Date.parse(notice.since) < LEFT_BEHIND_MS) return
  const mine = { ...stored.document, notice: { ...notice, since: now.toISOString() } }
  const written = await replace(ports, stored, mine)
  if (written) await tell(ports, written)
}
