import { explain } from '../core/errors.ts'
import { accept } from './accept.ts'
import { empty, type Answer } from './answers.ts'
import { openAudit } from './audit.ts'
import { recordOf, type Call, type CallParts, type IncomingWebhook } from './call.ts'
import type { Delivery } from './delivery.ts'
import { relayPending } from './dispatch.ts'
import { gatheringQueue } from './gather.ts'
import { handshake } from './handshake.ts'
import { openKeySets, type KeySets } from './key-sets.ts'
import { learnSecret } from './learn.ts'
import type { WebhookPorts } from './ports.ts'
import { isInForce } from './registration.ts'
import { openRegistry, type HeldSecret, type Known, type Registry } from './registry.ts'
import type { Verdict, WebhookRequest } from './scheme.ts'
import { openUsageCounter, type UsageCounter } from './usage.ts'
import { verifyWebhookSignature } from './verify.ts'

export type Receipt =
  | {
      readonly kind: 'accepted'
      readonly deliveryId: string
      readonly eventType: string | null
      readonly entityId: string | null
      readonly synced: boolean
    }
  /** A handshake, or an acknowledgement in the vendor's own form. */
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'unknown_registration' }
  | { readonly kind: 'limited'; readonly waitMs: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'method_not_allowed' }
  /** Verified and kept, but nobody can read it: the sender should hear of that. */
  | { readonly kind: 'unreadable'; readonly deliveryId: string; readonly reason: string }

export interface WebhookReceiver {
  /**
   * Takes one call of a sender. What was accepted is stored; throws `store_unavailable`, `queue_unavailable`,
   * `vault_unavailable`, `issuer_unavailable` when it could not be, `body_too_large` when it is.
   */
  receive(incoming: IncomingWebhook): Promise<Receipt>
  /** Sends what waited for a queue, and writes records that are late. */
  relay(): Promise<number>
  /** After a registration was changed here. */
  forget(registrationId: string): void
  /** Before the process ends. */
  flush(): Promise<void>
}

interface Parts extends CallParts {
  readonly registry: Registry
  readonly keySets: KeySets
  readonly usage: UsageCounter
}

/** Header with an operator's leave to deliver an old body again, and the vault's secret that signs such leaves. */
const REPLAY_HEADER = 'x-syncline-replay'
export const replaySecretName = 'webhook-replay'
const VISIT_MS = 2_000
/** Forgeries are many: their records go after a week. */
const REFUSED_TTL_SECONDS = 7 * 24 * 3_600

export function openWebhookReceiver(outside: WebhookPorts): WebhookReceiver {
  const ports = {
    ...outside,
    inbound: gatheringQueue(outside.inbound),
    outbound: gatheringQueue(outside.outbound),
  }
  let serial = 0
  const parts: Parts = {
    ports,
    registry: openRegistry(ports),
    keySets: openKeySets(ports),
    audit: openAudit(ports),
    usage: openUsageCounter(ports),
    nextSerial: () => (serial += 1),
  }
  return {
    receive: async (incoming) => {
      const known = await parts.registry.find(incoming.registrationId)
      if (!known) return { kind: 'unknown_registration' }
      const waitMs = await ports.admit(known.registration)
      if (waitMs > 0) return { kind: 'limited', waitMs }
      const rawBody = await incoming.readBody(known.registration.maxBodyBytes)
      return takeBody(parts, { incoming, known, rawBody, startedAt: ports.clock() })
    },
    relay: async () => {
      await parts.audit.catchUp()
      return relayPending(ports)
    },
    forget: (id) => parts.registry.forget(id),
    flush: async () => {
      await Promise.all([parts.usage.flush(), parts.audit.catchUp()])
    },
  }
}

async function takeBody(parts: Parts, call: Call): Promise<Receipt> {
  const { incoming, known, startedAt } = call
  const signing = known.secrets.filter(
    (secret) => secret.purpose === 'signing' && isInForce(secret, startedAt),
  )
  const request = await requestOf(parts, call, signing)
  const greeting = await greet(parts, call, request)
  if (greeting) return greeting
  if (incoming.method !== 'POST') return { kind: 'method_not_allowed' }

  const verdict = await verify(parts, known, request)
  if (!verdict.valid) return refuse(parts, call, verdict.reason)
  const secretId = request.keys ? undefined : signing[verdict.secretIndex]?.id
  const receipt = await accept(parts, call, {
    verdict,
    secretId,
    isReplay: request.replay !== undefined,
  })
  if (secretId !== undefined) await parts.usage.count(known.registration.id, secretId)
  return receipt
}

async function requestOf(
  { ports, keySets }: Parts,
  { incoming, known, rawBody, startedAt }: Call,
  signing: readonly HeldSecret[],
): Promise<WebhookRequest> {
  const { registration, secrets } = known
  const verifyToken = secrets.find(({ purpose }) => purpose === 'verify-token')?.value
  const keys = await keySets.keysFor(registration.scheme)
  const token = incoming.headers[REPLAY_HEADER]
  const leave = token === undefined ? undefined : await ports.vault.get(replaySecretName)
  return {
    method: incoming.method,
    url: `${ports.publicUrl}${incoming.target}`,
    headers: incoming.headers,
    rawBody,
    now: startedAt,
    secrets: signing.map(({ value }) => value),
    expected:
      verifyToken === undefined ? registration.expected : { ...registration.expected, verifyToken },
    ...(keys === undefined ? {} : { keys }),
    ...(token === undefined || leave === undefined ? {} : { replay: { token, secrets: [leave] } }),
  }
}

async function verify(
  { keySets }: Parts,
  { scheme, registration }: Known,
  request: WebhookRequest,
): Promise<Verdict> {
  const verdict = verifyWebhookSignature(scheme, request)
  if (verdict.valid || verdict.reason !== 'unknown_key') return verdict
  const keys = await keySets.refetch(registration.scheme)
  return keys === undefined ? verdict : verifyWebhookSignature(scheme, { ...request, keys })
}

/** The answer to a handshake; undefined for a delivery. */
async function greet(
  parts: Parts,
  call: Call,
  request: WebhookRequest,
): Promise<Receipt | undefined> {
  const { scheme, registration } = call.known
  const pending = registration.state === 'pending'
  const shaken = handshake(scheme, { ...request, pending })
  if (shaken.kind === 'none') return undefined
  if (shaken.kind === 'refused') {
    await parts.audit.record(rejection(parts, call, `handshake: ${shaken.reason}`))
    return { kind: 'answered', answer: shaken.answer }
  }
  if (shaken.learnedSecret !== undefined) {
    const learned = await learnSecret(parts.ports, registration.id, shaken.learnedSecret)
    parts.registry.forget(registration.id)
    if (!learned) return refuse(parts, call, 'handshake: not waiting for a secret')
  }
  if (shaken.visit !== undefined) await visit(parts.ports, shaken.visit)
  await parts.audit.record({ ...recordOf(parts, call, 'handshake'), verified: true })
  return { kind: 'answered', answer: shaken.answer }
}

/** For senders that do not take the answer for a yes. It is one all the same, so a visit that fails is only told. */
async function visit({ fetch, log }: WebhookPorts, url: string): Promise<void> {
  try {
    await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(VISIT_MS) })
  } catch (error) {
    log.warn(`a validation address could not be visited: ${explain(error)}`)
  }
}

async function refuse(parts: Parts, call: Call, reason: string): Promise<Receipt> {
  await parts.audit.record(rejection(parts, call, reason))
  // Who wants an empty body wants it here too (Xero, intent to receive).
  const isEmpty = call.known.scheme.acknowledgement === 'empty'
  return isEmpty ? { kind: 'answered', answer: empty(401) } : { kind: 'refused' }
}

function rejection(parts: Parts, call: Call, reason: string): Delivery {
  const record = recordOf(parts, call, 'refused')
  const { id: deliveryId, registrationId, sourceIp } = record
  parts.ports.log.warn('a webhook was refused', {
    deliveryId,
    registrationId,
    reason,
    sourceIp: sourceIp ?? undefined,
  })
  return { ...record, reason, ttl: REFUSED_TTL_SECONDS }
}
