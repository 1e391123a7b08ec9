import type { Caller } from '../core/caller.ts'
import type { Collection, Stored } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import {
  AUTHORIZATIONS,
  authorizationId,
  authorizationUrl,
  bindingOf,
  codeVerifier,
  type Authorization,
  type Purpose,
} from './authorization.ts'
import { askingFor, codeRequest } from './grant.ts'
import { isIssuedBy } from './provider.ts'
import { keepGrant } from './keep.ts'
import type { CredentialPorts } from './ports.ts'
import { deviceCredentialId, type OAuthSecret } from './secret.ts'
import { activateSession, openSession, type DeviceSession } from './session.ts'
import type { Token } from './token-answer.ts'
import { callTokenEndpoint, tokenCallOf } from './token-call.ts'

export interface ConnectPorts extends CredentialPorts {
  readonly authorizations: Collection<Authorization>
  readonly sessions: Collection<DeviceSession>
  readonly connections: Collection<Connection>
  /** 256 random bits as text. */
  readonly newSecret: () => string
}

export interface AuthorizationStart {
  readonly caller: Caller
  readonly connectionId: string
  readonly redirectUri: string
  /** What a person calls the phone; absent where the whole connection is to be authorized. */
  readonly deviceLabel?: string | undefined
}

/** A person has so long to sign in and consent. */
const AUTHORIZATION_MS = 10 * MINUTE_MS
const KEY_NAME = 'oauth-authorization-key'
const EXCHANGE_TIMEOUT_MS = 30 * SECOND_MS

export interface Begun {
  readonly id: string
  /** Where the person's browser goes. */
  readonly url: string
  /** Has to be shown at the end: of a browser a secret for its cookie, of a phone the session token. */
  readonly proof: string
  /** Of a phone; good once the person has consented. */
  readonly sessionToken?: string
}

/**
 * Begins an authorization. It can be ended only by whoever holds the proof: a link that is sent to somebody else connects
 * neither their account to us nor ours to them. Throws `forbidden`, `connection_not_found`, `bad_request`.
 */
export async function startAuthorization(
  ports: ConnectPorts,
  { caller, connectionId, redirectUri, deviceLabel }: AuthorizationStart,
): Promise<Begun> {
  const { tenantId, roles, userId, subject } = caller
  const mayConnect = roles.includes('admin') || roles.includes('operator')
  if (deviceLabel === undefined && !mayConnect) {
    throw new AppError('forbidden', 'only an admin or operator may authorize a connection')
  }
  const { connection, origin } = await findConnection(ports, tenantId, connectionId)
  const { integrationId } = connection
  const asking = askingFor(ports, { integrationId, origin }, {})
  if (!asking) {
    throw new AppError(
      'bad_request',
      `no OAuth client is set for ${integrationId}, or not for ${new URL(origin).hostname}`,
    )
  }
  const state = ports.newSecret()
  const key = await stateKey(ports)
  const url = authorizationUrl({
    provider: asking.provider,
    clientId: asking.client.clientId,
    origin,
    redirectUri,
    state,
    verifier: codeVerifier(key.value, state),
  })
  if (url === undefined) {
    throw new AppError('bad_request', `${integrationId} has no page for authorization`)
  }
  const session =
    deviceLabel === undefined
      ? undefined
      : await openSession(ports, { tenantId, userSysId: userId, origin, label: deviceLabel })
  const purpose: Purpose = {
    tenantId,
    connectionId,
    integrationId,
    origin,
    ...(session
      ? {
          credentialId: deviceCredentialId({ tenantId, userSysId: userId, origin }),
          device: { userSysId: userId, sessionId: session.id },
        }
      : { credentialId: connection.credentialId }),
  }
  const proof = session?.token ?? ports.newSecret()
  const id = authorizationId(state)
  const document: Authorization = {
    id,
    tenantId: AUTHORIZATIONS,
    kind: 'authorization',
    purpose,
    binding: bindingOf(proof),
    startedBy: subject,
    redirectUri,
    keyVersion: key.version,
    expiresAt: addMs(ports.clock(), AUTHORIZATION_MS).toISOString(),
    used: false,
    ttl: (2 * AUTHORIZATION_MS) / SECOND_MS,
  }
  await ports.authorizations.write([AUTHORIZATIONS], [{ kind: 'create', document }])
  return session ? { id, url, proof, sessionToken: session.token } : { id, url, proof }
}

async function findConnection(
  { connections }: ConnectPorts,
  tenantId: string,
  connectionId: string,
) {
  const connection = (await connections.get([tenantId], connectionId))?.document
  const origin = connection && instanceOrigin(connection)
  if (!connection || origin === undefined) {
    throw new AppError('connection_not_found', `there is no connection ${connectionId}`)
  }
  return { connection, origin }
}

/** The key from which code verifiers follow. Made at the first need; two that were made at once are both kept. */
async function stateKey({ vault, newSecret }: ConnectPorts) {
  const known = await vault.latest(KEY_NAME)
  if (known) return known
  const value = newSecret()
  return { value, version: await vault.set(KEY_NAME, value) }
}

export interface Callback {
  readonly state: string
  readonly code?: string | undefined
  readonly error?: string | undefined
  /** Who answers, where the vendor tells (RFC 9207). */
  readonly iss?: string | undefined
  /** What `startAuthorization` gave to whoever began. */
  readonly proof?: string | undefined
}

export interface Authorized {
  readonly purpose: Purpose
  readonly startedBy: string
}

/** Why there is no code (RFC 6749 §4.1.2.1), in our words: a page that shows the vendor's would show anybody's. */
const refusals: Readonly<Record<string, string>> = {
  access_denied: 'the person did not consent',
  temporarily_unavailable: 'the vendor is not available now; try again later',
  server_error: 'the vendor had a fault; try again later',
  invalid_scope: 'the vendor does not know a scope that was asked for',
  unauthorized_client: 'the vendor does not let our client do this',
}

/**
 * Ends an authorization: takes the code for tokens and stores them. A state works once, for whoever began. Throws
 * `forbidden` for anybody else, and leaves the state to the right one; `bad_request` for a state that is unknown, used or
 * expired, an answer of another server than was asked, a connection that has changed since, and for a refusal;
 * `rate_limited`, with the state still good; `vendor_failed` when the vendor gave no tokens.
 */
export async function completeAuthorization(
  ports: ConnectPorts,
  { state, code, error, iss, proof = '' }: Callback,
): Promise<Authorized> {
  const found = await findAuthorization(ports, state, proof)
  const { purpose, redirectUri, keyVersion, startedBy } = found.document
  const { tokenUrl } = ports.providerOf(purpose.integrationId) ?? {}
  const call = tokenCallOf(tokenUrl, { ...purpose, isAwaited: true })
  const waitMs = code === undefined ? undefined : await ports.quota.admit(call)
  if (waitMs !== undefined) throw rateLimited(waitMs)
  await takeAuthorization(ports, found)
  const asking = askingFor(ports, purpose, {})
  const key = await ports.vault.get(KEY_NAME, keyVersion)
  if (!asking || key === undefined || !(await isStillMeant(ports, purpose))) {
    throw new AppError('bad_request', 'the authorization cannot be ended any more; begin anew')
  }
  if (iss !== undefined && !isIssuedBy(asking.provider, purpose.origin, iss)) {
    throw new AppError('bad_request', 'the answer is of another server than was asked; begin anew')
  }
  if (error !== undefined || code === undefined) {
    const reason = Object.hasOwn(refusals, error ?? '') ? refusals[error ?? ''] : undefined
    throw new AppError('bad_request', reason ?? 'the vendor or the person refused it')
  }
  const askedAt = ports.clock()
  const request = codeRequest(asking, { code, redirectUri, verifier: codeVerifier(key, state) })
  const outcome = await callTokenEndpoint(ports, asking, {
    request,
    call,
    timeoutMs: EXCHANGE_TIMEOUT_MS,
  })
  if (outcome.kind !== 'token') throw new AppError('vendor_failed', outcome.reason)
  await keepGrant(ports, purpose, grantOf(outcome.token, askedAt))
  const sessionId = purpose.device?.sessionId ?? null
  if (sessionId !== null) await activateSession(ports, purpose.tenantId, sessionId)
  return { purpose, startedBy }
}

/** Whether the connection is still the one that the person was asked for: one that was removed gets no credential. */
async function isStillMeant(
  { connections }: ConnectPorts,
  { tenantId, connectionId, integrationId, origin, credentialId, device }: Purpose,
): Promise<boolean> {
  const connection = (await connections.get([tenantId], connectionId))?.document
  if (connection?.integrationId !== integrationId) return false
  const isSame = device !== undefined || connection.credentialId === credentialId
  return isSame && instanceOrigin(connection) === origin
}

async function findAuthorization(
  ports: ConnectPorts,
  state: string,
  proof: string,
): Promise<Stored<Authorization>> {
  const stored = await ports.authorizations.get([AUTHORIZATIONS], authorizationId(state))
  const isGood =
    stored && !stored.document.used && new Date(stored.document.expiresAt) > ports.clock()
  if (!isGood) throw badState()
  if (stored.document.binding !== bindingOf(proof)) {
    throw new AppError('forbidden', 'the authorization was begun elsewhere: end it there')
  }
  return stored
}

async function takeAuthorization(
  ports: ConnectPorts,
  { document, etag }: Stored<Authorization>,
): Promise<void> {
  const taken = await ports.authorizations.write(
    [AUTHORIZATIONS],
    [{ kind: 'replace', document: { ...document, used: true }, etag }],
  )
  if (!taken.committed) throw badState()
}

function badState(): AppError {
  return new AppError('bad_request', 'the state is unknown, used or expired; begin anew')
}

function grantOf(
  { accessToken, lifetimeSeconds, refreshToken, instanceUrl }: Token,
  askedAt: Date,
): OAuthSecret {
  if (refreshToken === undefined) {
    throw new AppError('vendor_unexpected_answer', 'the vendor sent no refresh token')
  }
  return {
    kind: 'refresh_token',
    refreshToken,
    accessToken,
    obtainedAt: askedAt.toISOString(),
    expiresAt: addMs(askedAt, lifetimeSeconds * SECOND_MS).toISOString(),
    ...(instanceUrl === undefined ? {} : { instanceUrl }),
  }
}
