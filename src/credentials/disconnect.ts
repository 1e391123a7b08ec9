import type { Stored } from '../core/collection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { SECOND_MS } from '../core/time.ts'
import type { Purpose } from './authorization.ts'
import type { Credential } from './credential.ts'
import { revocationRequest } from './grant.ts'
import { replace } from './lease.ts'
import { askingFor } from './look.ts'
import { oauthSecret } from './pointer.ts'
import type { CredentialPorts } from './ports.ts'
import { secretName } from './secret.ts'
import { post, tokenCallOf } from './token-call.ts'

const TIMEOUT_MS = 30 * SECOND_MS

/**
 * Ends a credential: nobody gets it any more, the provider is told, the secret is removed. Every step can be repeated.
 * Throws `rate_limited`, and `vendor_failed` when the provider could not be told: the secret is still there for the next
 * try.
 */
export async function disconnect(
  ports: CredentialPorts,
  of: Pick<Purpose, 'tenantId' | 'credentialId' | 'integrationId' | 'origin'> & {
    readonly connectionId?: string
  },
): Promise<void> {
  const stored = await ports.credentials.get([of.tenantId], of.credentialId)
  if (!stored) return
  if (stored.document.enabled) await switchOff(ports, stored)
  const name = secretName(of.credentialId)
  const text = await ports.vault.get(name, stored.document.secretVersion)
  const secret = text === undefined ? undefined : oauthSecret(text)
  const asking = secret && askingFor(ports, of, secret)
  const request =
    asking && secret.kind === 'refresh_token'
      ? revocationRequest(asking, secret.refreshToken)
      : undefined
  if (request) {
    const call = tokenCallOf(asking?.provider.revokeUrl, { ...of, isAwaited: true })
    const waitMs = await ports.quota.admit(call)
    if (waitMs !== undefined) throw rateLimited(waitMs)
    const status = await post(ports, { request, call, timeoutMs: TIMEOUT_MS }).then(
      (answer) => answer.status,
      () => undefined,
    )
    // RFC 7009 §2.2: 200 says that it is done or that there was nothing to do. What a vendor refuses is dead already.
    const isDone = status !== undefined && status < 500 && status !== 429 && status !== 408
    if (!isDone) throw new AppError('vendor_failed', 'the vendor could not be told; try again')
  }
  await ports.vault.remove(name)
}

async function switchOff(ports: CredentialPorts, stored: Stored<Credential>): Promise<void> {
  const { document } = stored
  const off = { ...document, enabled: false, lease: null, intent: null, notice: null }
  if (!(await replace(ports, stored, off))) {
    throw new AppError('conflict', `the credential ${document.id} changed as it was switched off`)
  }
}
