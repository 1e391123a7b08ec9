import { createHash } from 'node:crypto'
import type { Collection } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { addMs, HOUR_MS, SECOND_MS, type Clock } from '../core/time.ts'

/** A phone that a person has connected. Its id is a hash of its token: who reads the store has no token. */
export interface DeviceSession {
  readonly id: string
  readonly tenantId: string
  readonly kind: 'device-session'
  readonly userSysId: string
  readonly origin: string
  readonly label: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly status: 'waiting' | 'active' | 'revoked'
  readonly ttl: number
}

export interface SessionPorts {
  readonly sessions: Collection<DeviceSession>
  readonly clock: Clock
  readonly newSecret: () => string
}

const SESSION_MS = 180 * 24 * HOUR_MS
const PREFIX = 'device1'

/** Makes a session that waits for the person's consent. The token is told now and never again. */
export async function openSession(
  { sessions, clock, newSecret }: SessionPorts,
  of: Pick<DeviceSession, 'tenantId' | 'userSysId' | 'origin' | 'label'>,
): Promise<{ readonly id: string; readonly token: string }> {
  const tenant = Buffer.from(of.tenantId).toString('base64url')
  const token = `${PREFIX}.${tenant}.${newSecret()}`
  const now = clock()
  const document: DeviceSession = {
    id: sessionId(token),
    kind: 'device-session',
    ...of,
    createdAt: now.toISOString(),
    expiresAt: addMs(now, SESSION_MS).toISOString(),
    status: 'waiting',
    ttl: SESSION_MS / SECOND_MS,
  }
  await sessions.write([of.tenantId], [{ kind: 'create', document }])
  return { id: document.id, token }
}

function sessionId(token: string): string {
  return `session-${createHash('sha256').update(token).digest('hex')}`
}

export function isSessionToken(token: string): boolean {
  return token.startsWith(`${PREFIX}.`)
}

/** The person's consent has arrived. */
export function activateSession(ports: SessionPorts, tenantId: string, id: string): Promise<void> {
  return change(ports, { tenantId, id }, (session) =>
    session.status === 'waiting' ? { ...session, status: 'active' } : session,
  )
}

/** The session of a token. Throws `unauthenticated` for any that is not good. */
export async function sessionOf(
  { sessions, clock }: Pick<SessionPorts, 'sessions' | 'clock'>,
  token: string,
): Promise<DeviceSession> {
  const [, tenant = ''] = token.split('.')
  const tenantId = Buffer.from(tenant, 'base64url').toString()
  const found = tenantId === '' ? undefined : await sessions.get([tenantId], sessionId(token))
  const session = found?.document
  const isGood = session?.status === 'active' && new Date(session.expiresAt) > clock()
  if (!session || !isGood) {
    throw new AppError('unauthenticated', 'the session is unknown, revoked or expired')
  }
  return session
}

export type SessionView = Pick<
  DeviceSession,
  'id' | 'label' | 'origin' | 'createdAt' | 'expiresAt' | 'status'
>

/** The phones of a person, the newest first. */
export async function listSessions(
  { sessions }: Pick<SessionPorts, 'sessions'>,
  { tenantId, userSysId }: Pick<DeviceSession, 'tenantId' | 'userSysId'>,
): Promise<readonly SessionView[]> {
  const found: SessionView[] = []
  const query = {
    anyOf: [
      [
        { field: 'kind', is: '=', value: 'device-session' },
        { field: 'userSysId', is: '=', value: userSysId },
      ],
    ],
  } as const
  for await (const { document } of sessions.query(query, [tenantId])) {
    const { id, label, origin, createdAt, expiresAt, status } = document
    found.push({ id, label, origin, createdAt, expiresAt, status })
  }
  return found.sort((a, b) => b.createdAt.localeCompare(a.createdAt))
}

/** Ends a session of a person. Throws `session_not_found` for another person's as for none. */
export function revokeSession(
  ports: SessionPorts,
  of: Pick<DeviceSession, 'tenantId' | 'userSysId' | 'id'>,
): Promise<void> {
  return change(ports, of, (session) => {
    if (session.userSysId !== of.userSysId) throw notFound()
    return { ...session, status: 'revoked' }
  })
}

/** Ends every phone at an instance. */
export async function revokeSessions(
  ports: Pick<SessionPorts, 'sessions'>,
  { tenantId, origin }: Pick<DeviceSession, 'tenantId' | 'origin'>,
): Promise<void> {
  const query = {
    anyOf: [
      [
        { field: 'kind', is: '=', value: 'device-session' },
        { field: 'origin', is: '=', value: origin },
      ],
    ],
  } as const
  for await (const { document } of ports.sessions.query(query, [tenantId])) {
    if (document.status === 'revoked') continue
    await change(ports, document, (session) => ({ ...session, status: 'revoked' }))
  }
}

const TRIES = 5

async function change(
  { sessions }: Pick<SessionPorts, 'sessions'>,
  { tenantId, id }: Pick<DeviceSession, 'tenantId' | 'id'>,
  next: (session: DeviceSession) => DeviceSession,
): Promise<void> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const stored = await sessions.get([tenantId], id)
    if (stored?.document.kind !== 'device-session') throw notFound()
    const document = next(stored.document)
    const written = await sessions.write(
      [tenantId],
      [{ kind: 'replace', document, etag: stored.etag }],
    )
    if (written.committed) return
  }
  throw new AppError('conflict', 'the session kept changing')
}

function notFound(): AppError {
  return new AppError('session_not_found', 'there is no such session')
}
