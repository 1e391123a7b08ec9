import type { Stored } from '../core/collection.ts'
import { explain } from '../core/errors.ts'
import { MINUTE_MS } from '../core/time.ts'
import { readGrant, tokenForm, type OAuthSecret, type Token } from './grant.ts'
import type { Credential, CredentialAnswer, CredentialPorts, CredentialRequest } from './ports.ts'
import { secretName, secretShape, type Secret } from './secret.ts'

/** A token is renewed so long before its end. */
const MARGIN_MS = 2 * MINUTE_MS
const TOKEN_TIMEOUT_MS = 20_000
/** Tokens kept in the process; the oldest goes first. */
const CACHE_SIZE = 1_000

export interface CredentialAccess {
  /** The headers with which a call of this connection proves who we are. */
  getCredential(request: CredentialRequest): Promise<CredentialAnswer>
}

/**
 * Credentials of connections. Within a process one token serves all callers until it nears its end or a vendor refuses it,
 * and callers who come while it is renewed wait for that one renewal.
 */
export function credentialAccess(ports: CredentialPorts): CredentialAccess {
  const tokens = new Map<string, Token>()
  const renewals = new Map<string, Promise<CredentialAnswer>>()
  const answerFrom = (request: CredentialRequest) => {
    const token = tokens.get(keyOf(request))
    if (!token || token.expiresAt.getTime() - MARGIN_MS <= ports.clock().getTime()) return undefined
    const headers = bearer(token)
    return headers['authorization'] === request.refused?.['authorization']
      ? undefined
      : ({ kind: 'authorized', headers } as const)
  }
  return {
    getCredential: async (request) => {
      const known = answerFrom(request)
      if (known) return known
      const key = keyOf(request)
      const running = renewals.get(key)
      if (running) return running
      const renewal = obtain(ports, request, (token) => remember(tokens, key, token)).finally(() =>
        renewals.delete(key),
      )
      renewals.set(key, renewal)
      return renewal
    },
  }
}

function keyOf({ tenantId, credentialId }: CredentialRequest): string {
  return JSON.stringify([tenantId, credentialId])
}

function remember(tokens: Map<string, Token>, key: string, token: Token): void {
  tokens.delete(key)
  tokens.set(key, token)
  const oldest = tokens.keys().next().value
  if (tokens.size > CACHE_SIZE && oldest !== undefined) tokens.delete(oldest)
}

function bearer({ accessToken }: Token): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${accessToken}` }
}

async function obtain(
  ports: CredentialPorts,
  request: CredentialRequest,
  keep: (token: Token) => void,
): Promise<CredentialAnswer> {
  const stored = await ports.credentials.get([request.tenantId], request.credentialId)
  if (!stored?.document.enabled)
    return notFound('there is no such credential, or it is switched off')
  if (stored.document.needsReauth) return reauth('it waits for a person to connect again')
  const secret = await readSecret(ports, request.credentialId)
  if (!secret) return notFound('the vault holds no usable secret for it')
  switch (secret.kind) {
    case 'basic': {
      const pair = Buffer.from(`${secret.username}:${secret.password}`).toString('base64')
      return staticHeaders({ authorization: `Basic ${pair}` }, request)
    }
    case 'api_key':
      return staticHeaders({ [secret.header]: secret.key }, request)
    case 'refresh_token':
    case 'client_credentials':
      return refreshOAuthToken(ports, request, { stored, secret, keep })
  }
}

function staticHeaders(
  headers: Readonly<Record<string, string>>,
  { refused }: CredentialRequest,
): CredentialAnswer {
  return refused ? reauth('the vendor does not accept it') : { kind: 'authorized', headers }
}

async function readSecret({ vault }: CredentialPorts, id: string): Promise<Secret | undefined> {
  const text = await vault.get(secretName(id))
  return text === undefined ? undefined : secretShape.safeParse(parseJson(text)).data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Refresh {
  readonly stored: Stored<Credential>
  readonly secret: OAuthSecret
  readonly keep: (token: Token) => void
}

async function refreshOAuthToken(
  ports: CredentialPorts,
  request: CredentialRequest,
  { stored, secret, keep }: Refresh,
): Promise<CredentialAnswer> {
  const client = ports.clientOf(request.integrationId)
  if (!client && (secret.clientId === undefined || secret.clientSecret === undefined)) {
    return notFound(`the settings hold no OAuth client for ${request.integrationId}`)
  }
  const form = tokenForm(secret, client ?? { clientId: '', clientSecret: '' })
  const outcome = await askForToken(ports, request.tokenUrl, form)
  if (outcome.kind === 'retry') return outcome
  if (outcome.kind === 'reauth') {
    await update(ports, stored, { needsReauth: true })
    return reauth(outcome.reason)
  }
  const { token } = outcome
  // A rotated refresh token is the only one that still works: it is stored before anything else may fail.
  if (
    secret.kind === 'refresh_token' &&
    token.refreshToken &&
    token.refreshToken !== secret.refreshToken
  ) {
    const rotated = JSON.stringify({ ...secret, refreshToken: token.refreshToken })
    await ports.vault.set(secretName(request.credentialId), rotated)
  }
  keep(token)
  await update(ports, stored, {
    expiryTime: token.expiresAt.toISOString(),
    refreshCount: stored.document.refreshCount + 1,
  })
  return { kind: 'authorized', headers: bearer(token) }
}

async function askForToken(ports: CredentialPorts, url: string, form: URLSearchParams) {
  try {
    const response = await ports.fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
      redirect: 'manual',
      signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
    })
    const body = parseJson(await response.text())
    const object = typeof body === 'object' && body !== null ? { ...body } : undefined
    return readGrant(response.status, object, ports.clock())
  } catch (error) {
    const reason = `the token endpoint could not be reached: ${explain(error)}`
    return { kind: 'retry', reason } as const
  }
}

/** The document only tells people and the sweeper how things stand; another writer's newer word may stand. */
async function update(
  { credentials, log }: CredentialPorts,
  { document, etag }: Stored<Credential>,
  change: Partial<Credential>,
): Promise<void> {
  const written = await credentials.write(
    [document.tenantId],
    [{ kind: 'replace', document: { ...document, ...change }, etag }],
  )
  if (!written.committed)
    log.info('the credential changed while its token was renewed', { credentialId: document.id })
}

function notFound(reason: string): CredentialAnswer {
  return { kind: 'refused', code: 'credential_not_found', reason }
}

function reauth(reason: string): CredentialAnswer {
  return { kind: 'refused', code: 'reauth_required', reason }
}
