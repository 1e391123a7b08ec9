import { z } from 'zod'
import type { Stored } from '../core/collection.ts'
import { AppError } from '../core/errors.ts'
import { addMs, HOUR_MS } from '../core/time.ts'
import { keyOf } from './algorithms.ts'
import type { Delivery } from './delivery.ts'
import { genericScheme } from './generic.ts'
import type { WebhookPorts } from './ports.ts'
import { ownRegistration, viewed, type Viewed } from './registration-view.ts'
import { schemeOf, secretName, type Registration, type SecretRef } from './registration.ts'
import type { LeafScheme, Scheme } from './scheme.ts'
import { schemeNamed } from './schemes.ts'

const name = z.string().min(1).max(100)
const secret = z.string().min(8).max(10_000)
const events = z.array(name).max(200)
const forward = z.enum(['inbound', 'outbound'])
const maxBodyBytes = z
  .int()
  .min(1_024)
  .max(25 * 1024 * 1024)
const requestsPerMinute = z.int().min(1).max(600_000)
const expected = z
  .record(name, z.string().min(1).max(500))
  .refine((values) => !('verifyToken' in values), 'verifyToken is a secret, tell it as verifyToken')

/** What a registration is made of. Secrets go to the vault and never come back. */
export const newRegistrationShape = z.strictObject({
  connectionId: name,
  scheme: name,
  configuration: z.unknown().optional(),
  secret: secret.optional(),
  verifyToken: secret.optional(),
  events: events.optional(),
  forward: forward.default('inbound'),
  maxBodyBytes: maxBodyBytes.default(1024 * 1024),
  requestsPerMinute: requestsPerMinute.default(6_000),
  expected: expected.default({}),
})
export type NewRegistration = z.infer<typeof newRegistrationShape>

/** What can be changed: neither whose registration it is nor how its sender proves itself. */
export const registrationChangesShape = z.strictObject({
  events: events.optional(),
  forward: forward.optional(),
  maxBodyBytes: maxBodyBytes.optional(),
  requestsPerMinute: requestsPerMinute.optional(),
  expected: expected.optional(),
})
export type RegistrationChanges = z.infer<typeof registrationChangesShape>

export const newSecretShape = z.strictObject({ secret })

export interface RegistrationPorts extends Pick<
  WebhookPorts,
  'registrations' | 'usage' | 'vault' | 'clock' | 'publicUrl' | 'deliveries'
> {
  /** The vendor of a connection of this tenant; undefined when it has none of that name. */
  readonly vendorOf: (tenantId: string, connectionId: string) => Promise<string | undefined>
  /** Letters and digits that nobody has had before. */
  readonly newId: () => string
  /** Instances here read the registration anew. */
  readonly forget: (id: string) => void
}

/** Throws `bad_request` that names what is wrong, `connection_not_found`. */
export async function createRegistration(
  ports: RegistrationPorts,
  tenantId: string,
  wanted: NewRegistration,
): Promise<Viewed> {
  const integrationId = await ports.vendorOf(tenantId, wanted.connectionId)
  if (integrationId === undefined) {
    throw new AppError('connection_not_found', `there is no connection ${wanted.connectionId}`)
  }
  const scheme = schemeFor(wanted)
  const isLearned = learnsItsSecret(scheme)
  if (wanted.secret === undefined && needsSecret(scheme) && !isLearned) {
    throw new AppError('bad_request', `secret: scheme ${wanted.scheme} needs one`)
  }
  if (wanted.secret !== undefined) demandUsable(scheme, wanted.secret)
  const id = `reg-${ports.newId()}`
  const createdAt = ports.clock().toISOString()
  const secrets = await stored(ports, id, {
    signing: wanted.secret,
    'verify-token': wanted.verifyToken,
  })
  const { secret: _secret, verifyToken: _token, configuration: _configuration, ...rest } = wanted
  const document: Registration = {
    id,
    registrationId: id,
    tenantId,
    integrationId,
    ...definite(rest),
    ...(wanted.scheme === 'generic' ? { configuration: scheme } : {}),
    state: isLearned && wanted.secret === undefined ? 'pending' : 'active',
    secrets,
    createdAt,
  }
  const written = await ports.registrations.write([id], [{ kind: 'create', document }])
  if (!written.committed) throw new AppError('conflict', 'the id of the registration is taken')
  return viewed(ports, { document, etag: written.etags[0] ?? '' })
}

export interface Change {
  readonly tenantId: string
  readonly id: string
  /** The tag that the caller has seen; absent: whatever it is now. */
  readonly etag?: string | undefined
}

/** Changes what is told and leaves the rest. Throws `registration_not_found`, `conflict`. */
export async function changeRegistration(
  ports: RegistrationPorts,
  change: Change,
  wanted: RegistrationChanges,
): Promise<Viewed> {
  const before = await ownRegistration(ports, change.tenantId, change.id)
  demandSeen(before, change)
  return replace(ports, before, { ...before.document, ...definite(wanted) })
}

/** Without the fields that are there and undefined. */
function definite<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const told = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(told) as { [K in keyof T]: Exclude<T[K], undefined> } // the same, less what is undefined
}

/** A further secret, accepted from now on beside the others. Throws `conflict`, `bad_request`. */
export async function addSecret(
  ports: RegistrationPorts,
  change: Change,
  value: string,
): Promise<Viewed> {
  const before = await ownRegistration(ports, change.tenantId, change.id)
  const scheme = schemeOf(before.document)
  if (scheme) demandUsable(scheme, value)
  demandSeen(before, change)
  const added = await stored(ports, change.id, { signing: value })
  const secrets = [...before.document.secrets, ...added]
  return replace(ports, before, { ...before.document, state: 'active', secrets })
}

export interface Revoked extends Viewed {
  /** What was accepted by the secret in the hours before: what to look at after a leak. */
  readonly accepted: readonly Pick<Delivery, 'id' | 'receivedAt' | 'sourceIp' | 'eventType'>[]
}

const MAX_ACCEPTED = 1_000

/** Takes a secret out of use, now or after a time. Throws `bad_request` for one that there is not. */
export async function retireSecret(
  ports: RegistrationPorts,
  change: Change,
  { secretId, afterMs, hours }: { secretId: string; afterMs: number; hours: number },
): Promise<Revoked> {
  const before = await ownRegistration(ports, change.tenantId, change.id)
  demandSeen(before, change)
  if (!before.document.secrets.some((one) => one.id === secretId)) {
    throw new AppError('bad_request', `secretId: there is no secret ${secretId}`)
  }
  const now = ports.clock()
  const acceptUntil = addMs(now, afterMs).toISOString()
  const end = { acceptUntil, ...(afterMs === 0 ? { revoked: true as const } : {}) }
  const secrets = before.document.secrets.map((one) =>
    one.id === secretId ? { ...one, ...end } : one,
  )
  const after = await replace(ports, before, { ...before.document, secrets })
  if (afterMs === 0) await ports.vault.remove(secretName(change.id, secretId))
  const since = addMs(now, -hours * HOUR_MS).toISOString()
  return { ...after, accepted: await acceptedBy(ports, change.id, { secretId, since }) }
}

async function acceptedBy(
  { deliveries }: RegistrationPorts,
  registrationId: string,
  { secretId, since }: { readonly secretId: string; readonly since: string },
): Promise<Revoked['accepted']> {
  const accepted: Revoked['accepted'][number][] = []
  const anyOf = [[{ field: 'secretId', is: '=', value: secretId } as const]]
  const query = { anyOf, latestBy: 'receivedAt', limit: MAX_ACCEPTED }
  for await (const { document } of deliveries.query(query, [registrationId])) {
    const { id, receivedAt, sourceIp, eventType } = document
    if (receivedAt < since) break
    accepted.push({ id, receivedAt, sourceIp, eventType })
  }
  return accepted
}

/** Ends a registration: its address answers as if it had never been. What came in stays to be seen. */
export async function retireRegistration(
  ports: RegistrationPorts,
  change: Change,
): Promise<Viewed> {
  const before = await ownRegistration(ports, change.tenantId, change.id)
  demandSeen(before, change)
  const after = await replace(ports, before, { ...before.document, state: 'retired' })
  // Tried again when the vault is away: a retired registration can be retired once more.
  for (const { id } of before.document.secrets) await ports.vault.remove(secretName(change.id, id))
  return after
}

async function replace(
  ports: RegistrationPorts,
  { etag }: Stored<Registration>,
  document: Registration,
): Promise<Viewed> {
  const written = await ports.registrations.write(
    [document.id],
    [{ kind: 'replace', document, etag }],
  )
  if (!written.committed) throw new AppError('conflict', 'the registration has changed')
  ports.forget(document.id)
  return viewed(ports, { document, etag: written.etags[0] ?? '' })
}

function demandSeen({ etag }: Stored<Registration>, change: Change): void {
  if (change.etag !== undefined && change.etag !== etag) {
    throw new AppError('conflict', 'the registration has changed since it was read')
  }
}

function schemeFor({ scheme, configuration }: NewRegistration): Scheme {
  if (scheme === 'generic') return genericScheme(configuration)
  const found = schemeNamed(scheme)
  if (found) return found
  throw new AppError('bad_request', `scheme: there is no scheme ${scheme}`)
}

function learnsItsSecret({ challenge }: Scheme): boolean {
  return challenge === 'asana' || challenge === 'notion'
}

function leavesOf(scheme: Scheme): readonly LeafScheme[] {
  return scheme.kind === 'choice' ? scheme.of.map((option) => option.scheme) : [scheme]
}

/** Tokens that are signed with a published key set need none. */
function needsSecret(scheme: Scheme): boolean {
  return leavesOf(scheme).some((leaf) => leaf.kind !== 'jwt' || leaf.algorithm === 'HS256')
}

function demandUsable(scheme: Scheme, value: string): void {
  for (const leaf of leavesOf(scheme)) {
    if (leaf.kind !== 'signed' && leaf.kind !== 'http-signature') continue
    if (keyOf(value, leaf.key) !== undefined) continue
    throw new AppError('bad_request', `secret: it is no ${leaf.key.encoding} key`)
  }
}

/** The vault has it before any document speaks of it. */
async function stored(
  { vault, newId, clock }: RegistrationPorts,
  registrationId: string,
  given: Partial<Record<SecretRef['purpose'], string | undefined>>,
): Promise<readonly SecretRef[]> {
  const refs: SecretRef[] = []
  for (const purpose of ['signing', 'verify-token'] as const) {
    const value = given[purpose]
    if (value === undefined) continue
    const id = newId()
    await vault.set(secretName(registrationId, id), value)
    refs.push({ id, purpose, createdAt: clock().toISOString() })
  }
  return refs
}
