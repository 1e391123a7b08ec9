import { pairOf, type Credential } from './credential.ts'
import type { CredentialAnswer, CredentialRefusal, CredentialRequest } from './ports.ts'
import type { Secret } from './secret.ts'

/** The answer of a secret that no provider renews. */
export function unchanging(
  { needsReauth }: Credential,
  secret: Extract<Secret, { kind: 'basic' | 'api_key' }>,
  { refused }: CredentialRequest,
): CredentialAnswer {
  if (needsReauth) return reauth(WAITS_FOR_PERSON)
  if (refused) return reauth('the vendor does not accept it')
  if (secret.kind === 'api_key') {
    return { kind: 'authorized', headers: { [secret.header]: secret.key } }
  }
  const pair = Buffer.from(`${secret.username}:${secret.password}`).toString('base64')
  return { kind: 'authorized', headers: { authorization: `Basic ${pair}` } }
}

export function authorized(secret: Secret): CredentialAnswer {
  const pair = pairOf(secret)
  if (!pair) return reauth('it has no token')
  const headers = { authorization: `Bearer ${pair.accessToken}` }
  const { expiresAt, instanceUrl } = pair
  return instanceUrl === undefined
    ? { kind: 'authorized', headers, expiresAt }
    : { kind: 'authorized', headers, expiresAt, instanceUrl }
}

export const WAITS_FOR_PERSON = 'it waits for a person to connect again'

export function reauth(reason: string): CredentialRefusal {
  return refuse('reauth_required', reason)
}

export function refuse(
  code: 'reauth_required' | 'credential_not_found',
  reason: string,
): CredentialRefusal {
  return { kind: 'refused', code, reason }
}

export const foreign = refuse('reauth_required', 'it was given for another instance')

export const missing = refuse(
  'credential_not_found',
  'there is no such credential, or it is switched off',
)
