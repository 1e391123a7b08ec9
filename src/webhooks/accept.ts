import { hash } from 'node:crypto'
import { AppError } from '../core/errors.ts'
import { idOf } from '../core/ids.ts'
import { acknowledgement } from './answers.ts'
import { recordOf, type Call, type CallParts } from './call.ts'
import type { Delivery } from './delivery.ts'
import { dispatch, keepBody } from './dispatch.ts'
import { spanOf } from './hand-over.ts'
import { interpret, type Interpretation } from './interpret.ts'
import type { Receipt } from './receive.ts'
import { withoutProof } from './retained.ts'
import type { Verdict } from './scheme.ts'
import { climb, type Rung } from './standing.ts'
import { noteLifecycle } from './subscriptions.ts'

interface Accepted {
  readonly verdict: Extract<Verdict, { valid: true }>
  readonly secretId: string | undefined
  readonly isReplay: boolean
}

/** Takes a verified delivery: reads it, makes it durable, and only then says so. */
export async function accept(parts: CallParts, call: Call, accepted: Accepted): Promise<Receipt> {
  const { ports, audit } = parts
  const { incoming, known, rawBody, startedAt } = call
  const { registration, scheme, targets } = known
  const senderId = accepted.verdict.deliveryId
  const digest = hash('sha256', rawBody, 'base64url')
  // Without an id of the sender's, the same bytes within a moment are the same delivery.
  const id = idOf('delivery', registration.id, senderId ?? `${digest}/${spanOf(startedAt)}`)
  const read = interpret({
    registration,
    targets,
    headers: incoming.headers,
    rawBody,
    digest,
    deliveryId: id,
    isIdentified: senderId !== undefined,
    now: startedAt,
  })
  const { rungs } = read
  const outdated = rungs.length === 0 ? none : await climb(ports, registration.id, rungs)
  const meaning = outdated.size === 0 ? read : withoutOutdated(read, outdated)
  const { handOvers } = meaning
  const body = await keepBody(ports, { ...registration, id }, withoutProof(scheme, rawBody))
  const delivery: Delivery = {
    ...recordOf(parts, call, statusOf(meaning)),
    id,
    verified: true,
    ...factsOf(accepted),
    ...contentsOf(meaning),
    ...(outdated.size === 0 ? {} : { outdated: outdated.size }),
    ...(body === undefined ? {} : { body }),
  }
  const mustBeStored =
    !delivery.synced || meaning.quarantine.length > 0 || handOvers.some(({ isCut }) => isCut)
  if (mustBeStored && body === undefined) {
    throw new AppError('blob_unavailable', 'the delivery could not be stored')
  }
  for (const lifecycle of meaning.lifecycles) {
    await noteLifecycle(ports, registration.id, lifecycle)
  }
  const audited = await dispatch(ports, audit, { delivery, handOvers, mustBeStored })
  if (audited === 'known') {
    await audit.record({ ...recordOf(parts, call, 'duplicate'), verified: true, reason: id })
  }
  if (meaning.quarantine.length > 0) {
    ports.log.metric('webhook_quarantined', meaning.quarantine.length, {
      registrationId: registration.id,
      deliveryId: id,
    })
  }
  return receiptOf(call, delivery, meaning)
}

const none: ReadonlySet<Rung> = new Set()

/** A message all of whose news is old is not sent. */
function withoutOutdated(read: Interpretation, outdated: ReadonlySet<Rung>): Interpretation {
  const handOvers = read.handOvers.filter(
    ({ rungs }) => rungs === undefined || rungs.some((rung) => !outdated.has(rung)),
  )
  return { ...read, handOvers }
}

function statusOf({ handOvers, quarantine }: Interpretation): Delivery['status'] {
  if (handOvers.length > 0) return 'queued'
  return quarantine.length > 0 ? 'quarantined' : 'noted'
}

function factsOf({ verdict, secretId, isReplay }: Accepted) {
  const { deliveryId: senderId, form } = verdict
  return {
    ...(secretId === undefined ? {} : { secretId }),
    ...(senderId === undefined ? {} : { senderId }),
    ...(form === undefined ? {} : { form }),
    ...(isReplay ? { replay: true as const } : {}),
  }
}

function contentsOf({
  eventType,
  entityId,
  elements,
  handOvers,
  quarantine,
  headers,
}: Interpretation) {
  const synced = handOvers.length > 0
  return {
    eventType,
    entityId,
    elements,
    synced,
    queued: synced,
    headers,
    ...(quarantine.length === 0 ? {} : { quarantine }),
  }
}

function receiptOf(
  { known: { scheme } }: Call,
  { id, eventType, entityId, synced }: Delivery,
  { unreadable }: Interpretation,
): Receipt {
  if (unreadable !== undefined) return { kind: 'unreadable', deliveryId: id, reason: unreadable }
  const answer = acknowledgement(scheme)
  if (answer !== undefined) return { kind: 'answered', answer }
  return { kind: 'accepted', deliveryId: id, eventType, entityId, synced }
}
