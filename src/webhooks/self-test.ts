import { AppError, explain } from '../core/errors.ts'
import { SECOND_MS } from '../core/time.ts'
import type { WebhookPorts } from './ports.ts'
import { ownRegistration } from './registration-view.ts'
import { isInForce, schemeOf, secretName } from './registration.ts'
import type { LeafScheme, Scheme } from './scheme.ts'
import { sign } from './sign.ts'

const TIMEOUT_MS = 10 * SECOND_MS

export interface SelfTest {
  readonly url: string
  readonly passed: boolean
  /** What our own address answered; absent when it could not be reached. */
  readonly status?: number
  readonly problem?: string
}

type SelfTestPorts = Pick<
  WebhookPorts,
  'registrations' | 'vault' | 'fetch' | 'clock' | 'publicUrl'
> & { readonly newId: () => string }

/**
 * Sends a sample, signed with the newest secret, to the registration's public address: the way that the sender's calls
 * take. The sample is of no known event, so it is kept and nothing more. Throws `bad_request` where only the sender can sign.
 */
export async function testRegistration(
  ports: SelfTestPorts,
  tenantId: string,
  id: string,
): Promise<SelfTest> {
  const { document } = await ownRegistration(ports, tenantId, id)
  const scheme = schemeOf(document)
  const newest = document.secrets.findLast(
    (secret) => secret.purpose === 'signing' && isInForce(secret, ports.clock()),
  )
  const value = newest && (await ports.vault.get(secretName(id, newest.id)))
  if (!scheme || value === undefined || !canSign(scheme)) {
    throw new AppError('bad_request', 'only the sender has what signs these webhooks')
  }
  const url = `${ports.publicUrl}/webhooks/${id}/test`
  const sample = ports.newId()
  const signed = sign(scheme, {
    method: 'POST',
    url,
    headers: { 'content-type': typeOf(scheme), ...idHeaders(scheme, sample) },
    rawBody: Buffer.from(bodyOf(scheme, sample)),
    now: ports.clock(),
    secret: value,
  })
  try {
    const answer = await ports.fetch(signed.url, {
      method: 'POST',
      headers: signed.headers,
      body: Buffer.from(signed.rawBody),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { url, passed: answer.ok, status: answer.status }
  } catch (error) {
    return { url, passed: false, problem: explain(error) }
  }
}

function canSign(scheme: Scheme): boolean {
  const leaves: readonly LeafScheme[] =
    scheme.kind === 'choice' ? scheme.of.map((option) => option.scheme) : [scheme]
  const [first] = leaves
  if (first === undefined || first.name === 'google-channel') return false
  if (first.kind === 'jwt') return first.algorithm === 'HS256'
  return first.kind === 'token' || first.key.encoding !== 'public-key'
}

function idHeaders(scheme: Scheme, sample: string): Readonly<Record<string, string>> {
  const places = (scheme.id ?? []).flatMap((place) => (place.in === 'header' ? [place.name] : []))
  return Object.fromEntries(places.map((name) => [name, sample]))
}

const forms: ReadonlySet<string> = new Set(['twilio', 'mandrill'])

function typeOf({ name }: Scheme): string {
  return forms.has(name) ? 'application/x-www-form-urlencoded' : 'application/json'
}

function bodyOf({ name }: Scheme, sample: string): string {
  if (forms.has(name)) return `SynclineTest=${sample}`
  if (name === 'microsoft-graph') return `{"value":[{"changeType":"syncline-test"}]}`
  return JSON.stringify({ id: sample, eventId: sample, event_id: sample, type: 'syncline.test' })
}
