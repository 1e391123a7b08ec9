import { instanceOrigin, type Connection } from '../core/connection.ts'
import { AppError, rateLimited } from '../core/errors.ts'
import type { Collection } from '../core/collection.ts'
import type { CredentialAccess } from './access.ts'
import type { Purpose } from './authorization.ts'
import type { ConnectPorts } from './connect.ts'
import { createGrant } from './keep.ts'
import { deviceCredentialId, instanceHash, olderSecretName, parseSecret } from './secret.ts'

/** Who asks, as a verified token says. */
export interface DeviceCaller {
  readonly tenantId: string
  readonly userId: string
  /** Where the token is a phone's session: the one instance it is for. */
  readonly origin?: string
}

export interface DeviceRequest {
  readonly caller: DeviceCaller
  readonly userSysId: string
  readonly instanceUrl: string
}

export interface DeviceToken {
  readonly accessToken: string
  /** Seconds that are really left. */
  readonly expiresIn: number
  readonly tokenType: 'Bearer'
}

export interface DevicePorts extends ConnectPorts {
  /** Milliseconds that a person has to wait who asked too often; undefined for whoever may go on. */
  readonly admit: (who: { tenantId: string; userId: string }) => Promise<number | undefined>
}

/**
 * An access token for a person's phone; the refresh token stays in the vault. Throws `forbidden` for another person and
 * for an instance that the tenant has not registered, `rate_limited`, `credential_not_found`, `reauth_required`,
 * `token_refresh_failed`. Nothing is called before all of that is checked.
 */
export async function refreshForDevice(
  ports: DevicePorts,
  access: CredentialAccess,
  { caller, userSysId, instanceUrl }: DeviceRequest,
): Promise<DeviceToken> {
  const { tenantId } = caller
  if (userSysId !== caller.userId) {
    throw new AppError('forbidden', 'the token is of another user than userSysId')
  }
  const waitMs = await ports.admit({ tenantId, userId: userSysId })
  if (waitMs !== undefined) throw rateLimited(waitMs)
  const registered = registeredInstance(instanceUrl, await connectionsOf(ports, tenantId))
  if (!registered || (caller.origin ?? registered.origin) !== registered.origin) {
    throw new AppError('forbidden', 'instanceUrl is not a registered instance')
  }
  const { origin, connection } = registered
  const credentialId = deviceCredentialId({ tenantId, userSysId, origin })
  const { integrationId } = connection
  const known = await ports.credentials.get([tenantId], credentialId)
  if (!known) {
    await takeOver(ports, {
      tenantId,
      connectionId: connection.id,
      credentialId,
      integrationId,
      origin,
      device: { userSysId, sessionId: null },
    })
  }
  const connectionId = connection.id
  const request = { tenantId, credentialId, integrationId, connectionId, origin, isAwaited: true }
  const answer = await access.getCredential(request)
  if (answer.kind === 'authorized') return tokenOf(answer, ports.clock())
  if (answer.kind === 'retry' && answer.limited) throw rateLimited(answer.afterMs)
  if (answer.kind === 'retry') throw new AppError('token_refresh_failed', answer.reason)
  throw answer.code === 'reauth_required'
    ? new AppError('reauth_required', 'the person must connect again')
    : notFound()
}

function tokenOf(
  answer: Extract<Awaited<ReturnType<CredentialAccess['getCredential']>>, { kind: 'authorized' }>,
  now: Date,
): DeviceToken {
  const accessToken = answer.headers['authorization']?.replace(/^Bearer /, '')
  if (accessToken === undefined || !answer.expiresAt) throw notFound()
  const expiresIn = Math.max(0, Math.floor((answer.expiresAt.getTime() - now.getTime()) / 1_000))
  return { accessToken, expiresIn, tokenType: 'Bearer' }
}

function notFound(): AppError {
  return new AppError('credential_not_found', 'Refresh token not found')
}

async function connectionsOf({ connections }: ConnectPorts, tenantId: string) {
  return all(connections, [tenantId])
}

async function all(
  connections: Collection<Connection>,
  partition?: readonly string[],
): Promise<readonly Connection[]> {
  const found: Connection[] = []
  const everyOne = { anyOf: [[{ field: 'id', is: '!=', value: '' }]] } as const
  for await (const { document } of connections.query(everyOne, partition)) found.push(document)
  return found
}

/**
 * Takes a refresh token over that an older version kept. Its name tells neither the tenant nor, quite, the host: it is
 * believed only where a single registered instance, of all tenants, fits it.
 */
async function takeOver(ports: ConnectPorts, of: Purpose): Promise<void> {
  const name = olderSecretName(of.device?.userSysId ?? '', of.origin)
  if (name === undefined) throw notFound()
  const text = await ports.vault.get(name)
  if (text === undefined) throw notFound()
  const hash = instanceHash(of.origin)
  const rivals = (await all(ports.connections)).filter((connection) => {
    const origin = instanceOrigin(connection)
    const isOurs = connection.tenantId === of.tenantId && origin === of.origin
    return origin !== undefined && instanceHash(origin) === hash && !isOurs
  })
  if (rivals.length > 0) {
    ports.log.warn('an older refresh token is not used: its name fits several instances', {
      tenantId: of.tenantId,
    })
    throw notFound()
  }
  const secret = parseSecret(text) ?? { kind: 'refresh_token' as const, refreshToken: text.trim() }
  if (secret.kind !== 'refresh_token' || secret.refreshToken === '') throw notFound()
  // Never in place of one that stands already: another call may be using that.
  await createGrant(ports, of, secret)
}

/**
 * The registered connection to exactly the instance that a caller names; undefined when there is none. The text is only
 * compared: whatever is called afterwards is the registered origin, never the caller's.
 */
export function registeredInstance(
  text: string,
  connections: readonly Connection[],
): { readonly connection: Connection; readonly origin: string } | undefined {
  const asked = originOf(text)
  if (asked === undefined) return undefined
  const connection = connections.find((one) => instanceOrigin(one) === asked)
  return connection && { connection, origin: asked }
}

/** The origin of an address that is an origin and nothing else: no user, path, query, or odd spelling of a host. */
function originOf(text: string): string | undefined {
  // URL parsers drop tabs and line ends, map wide letters to narrow ones and take backslashes for slashes.
  if (!/^[a-z]+:\/\/[\x21-\x7e]{1,300}$/i.test(text) || /[\\%?#@]/.test(text)) return undefined
  if (/^[a-z]+:\/\/[^/]*\/./i.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).origin
}
