import type { Caller } from '../core/caller.ts'
import type { Collection, Stored } from '../core/collection.ts'
import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import { addMs, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import {
  AUTHORIZATIONS,
  authorizationId,
  authorizationUrl,
  codeVerifier,
  type Authorization,
  type Purpose,
} from './authorization.ts'
import { codeRequest } from './grant.ts'
import { keepGrant } from './keep-grant.ts'
import { askingFor } from './look.ts'
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

/**
 * Begins an authorization: the address for the person's browser, and for a phone the session token, which is good once
 * the person has consented. Throws `forbidden`, `connection_not_found`, `bad_request`.
 */
export async function startAuthorization(
  ports: ConnectPorts,
  { caller, connectionId, redirectUri, deviceLabel }: AuthorizationStart,
): Promise<{ readonly url: string; readonly sessionToken?: string }> {
  const { tenantId, roles, userId } = caller
  const mayConnect = roles.includes('admin') || roles.includes('operator')
  if (deviceLabel === undefined && !mayConnect) {
    throw new AppError('forbidden', 'only an admin or operator may authorize a connection')
  }
  const { connection, origin } = await findConnection(ports, tenantId, connectionId)
  const { integrationId } = connection
  const asking = askingFor(ports, { integrationId, origin }, {})
  if (!asking) {
    throw new AppError('bad_request', `no OAuth client is set for ${integrationId}`)
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
  const document: Authorization = {
    id: authorizationId(state),
    tenantId: AUTHORIZATIONS,
    kind: 'authorization',
    purpose,
    redirectUri,
    keyVersion: key.version,
    expiresAt: addMs(ports.clock(), AUTHORIZATION_MS).toISOString(),
    used: false,
    ttl: (2 * AUTHORIZATION_MS) / SECOND_MS,
  }
  await ports.authorizations.write([AUTHORIZATIONS], [{ kind: 'create', document }])
  return session ? { url, sessionToken: session.token } : { url }
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
}

/**
 * Ends an authorization: takes the code for tokens and stores them. A state works once. Throws `bad_request` for a state
 * that is unknown, used or expired, and for a refusal; `rate_limited`, with the state still good; `vendor_failed` when the
 * vendor gave no tokens.
 */
export async function completeAuthorization(
  ports: ConnectPorts,
  { state, code, error }: Callback,
): Promise<Purpose> {
  const found = await findAuthorization(ports, state)
  const { purpose, redirectUri, keyVersion } = found.document
  const { tokenUrl } = ports.providerOf(purpose.integrationId) ?? {}
  const call = tokenCallOf(tokenUrl, { ...purpose, isAwaited: true })
  const waitMs = code === undefined ? undefined : await ports.quota.admit(call)
  if (waitMs !== undefined) throw rateLimited(waitMs)
  await takeAuthorization(ports, found)
  if (error !== undefined || code === undefined) {
    throw new AppError('bad_request', 'the vendor or the person refused the authorization')
  }
  const asking = askingFor(ports, purpose, {})
  const key = await ports.vault.get(KEY_NAME, keyVersion)
  if (!asking || key === undefined) {
    throw new AppError('bad_request', 'the authorization cannot be ended any more; begin anew')
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
  return purpose
}

async function findAuthorization(
  ports: ConnectPorts,
  state: string,
): Promise<Stored<Authorization>> {
  const stored = await ports.authorizations.get([AUTHORIZATIONS], authorizationId(state))
  const isGood =
    stored && !stored.document.used && new Date(stored.document.expiresAt) > ports.clock()
  if (!isGood) throw badState()
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
