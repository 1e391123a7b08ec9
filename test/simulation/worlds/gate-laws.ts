import type { OutgoingMessage } from '../../../src/core/queue.ts'
import { inboundMessageShape } from '../../../src/sync/task.ts'
import type { Delivery } from '../../../src/webhooks/delivery.ts'
import type { SecretUsage } from '../../../src/webhooks/registration.ts'
import type { Standing } from '../../../src/webhooks/standing.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Simulation } from '../simulation.ts'
import { allHouses, FLOOD_PER_MINUTE, houses } from './gate-houses.ts'
import type { Keys } from './gate-operators.ts'
import type { Answered, Posting } from './gate-post.ts'
import { problemOf } from './gate-verdicts.ts'

const MINUTE_MS = 60_000
/** How long a revoked secret may pass on an instance that has read the registration; and while it cannot read it anew. */
const SETTLED_MS = 90_000
const SETTLED_ALONE_MS = 8 * MINUTE_MS
/** A replica may not have what was stored so short a time before. */
const LONGEST_LAG_MS = 46_000
/** Of a limit half may come at once, ahead of its pace; a process that is alone allows itself a little more. */
const MOST_FLOOD = FLOOD_PER_MINUTE * 1.5 + 2

interface Rest {
  readonly deliveries: readonly Delivery[]
  readonly standings: readonly Standing[]
  readonly usage: readonly SecretUsage[]
}

/** What has to hold of every call, and in the end. */
export function gateLaws(sim: Simulation, keys: Keys) {
  /** Ids of the messages of each record. */
  const jobs = new Map<string, Set<string>>()
  const durable = new Set<string>()
  const stored = new Map<string, { readonly atMs: number; readonly delivery: Delivery }>()
  const accepted: (Answered & { readonly id: string })[] = []
  const count = { refused: new Map<string, number>(), used: 0, born: 0 }
  let floods: number[] = []
  /** The highest status that was heard of a thing, and all that were told. */
  const rankOf = new Map<string, number>()
  const told = new Map<string, ReadonlySet<number>>()
  const struck = (site: RegExp, kinds: RegExp) =>
    sim.struck.some((one) => site.test(one.site) && kinds.test(one.kind))
  const settledMs = () =>
    struck(/^receiver registrations|^receiver vault/, /./) ? SETTLED_ALONE_MS : SETTLED_MS
  const remember = (answer: Answered, id: string) => {
    accepted.push({ ...answer, id })
    const { hope, label } = answer.posting
    const isKnown = 'records' in hope && hope.records.every((record) => jobs.has(record))
    if (!durable.has(id) && !isKnown) {
      sim.violate(1, `${label} was answered 2xx, and neither the queue nor the store has it`)
    }
    if (hope.kind === 'statuses') {
      rankOf.set(hope.thing, Math.max(rankOf.get(hope.thing) ?? 0, ...hope.ranks))
    }
    if (hope.kind !== 'heard if there is room') return
    floods = [...floods.filter((atMs) => atMs > sim.now() - MINUTE_MS), sim.now()]
    if (floods.length > MOST_FLOOD + count.born) {
      sim.violate(8, `${floods.length} of a flood in a minute, and ${FLOOD_PER_MINUTE} are allowed`)
    }
  }
  return {
    born: () => {
      count.born += 1
    },
    posted: ({ hope }: Posting) => {
      if (hope.kind !== 'statuses') return
      told.set(hope.thing, new Set([...(told.get(hope.thing) ?? []), ...hope.ranks]))
    },
    messagesAccepted: (messages: readonly OutgoingMessage[]) => {
      for (const { id, body, correlationId } of messages) {
        const { record, tenantId } = inboundMessageShape.parse(body)
        const externalId = record?.externalId ?? ''
        jobs.set(externalId, (jobs.get(externalId) ?? new Set()).add(id))
        if (correlationId !== undefined) durable.add(correlationId)
        if (/^(?:forged|foreign)/.test(externalId)) {
          const invariant = externalId.startsWith('foreign') ? 8 : 1
          sim.violate(
            invariant,
            `what nobody had proved became work of ${tenantId} (${externalId})`,
          )
        }
      }
    },
    deliveriesCommitted: ({ changes }: Commit<Delivery>) => {
      for (const { after } of changes) {
        stored.set(after.id, { atMs: sim.now(), delivery: after })
        if (['pending', 'noted', 'quarantined'].includes(after.status)) durable.add(after.id)
        if (allHouses.some(({ secret }) => JSON.stringify(after).includes(`"${secret}"`))) {
          sim.violate(10, `the record of ${after.id} holds a secret`)
        }
      }
    },
    standingsCommitted: ({ changes }: Commit<Standing>) => {
      for (const { before, after } of changes) {
        if (before && before.rank > after.rank) {
          sim.violate(
            5,
            `${after.externalId} was ${before.standing} and is ${after.standing} again`,
          )
        }
      }
    },
    answered: (answer: Answered) => {
      const { actor, outcome, made, posting } = answer
      const isOld = made.secret === keys.old
      const problem = problemOf(answer, {
        skewMs: actor.clock().getTime() - sim.now(),
        isCalm: sim.struck.length === 0,
        mayPass:
          posting.label.startsWith('thief') && keys.mayLast(settledMs(), actor.clock().getTime()),
        mayFail: isOld && sim.now() >= keys.endingMs(),
      })
      if (problem) sim.violate(problem.invariant, problem.message)
      if (outcome instanceof Error) return
      const { id } = posting.house
      if (outcome.kind === 'refused') count.refused.set(id, (count.refused.get(id) ?? 0) + 1)
      if (outcome.kind === 'accepted' || outcome.kind === 'unreadable') {
        count.used += 1
        remember(answer, outcome.deliveryId)
      }
    },
    revoked: (named: readonly { readonly id: string }[], sinceMs: number) => {
      const ids = new Set(named.map(({ id }) => id))
      for (const { atMs, delivery } of stored.values()) {
        const { registrationId, verified, status, secretId = 's1' } = delivery
        const isDelivery = verified && status !== 'duplicate'
        const isAsked = isDelivery && registrationId === houses.snow.id && secretId === 's1'
        if (isAsked && atMs < sinceMs - LONGEST_LAG_MS && !ids.has(delivery.id)) {
          sim.violate(5, `a revocation does not name ${delivery.id}, which the secret let in`)
        }
      }
    },
    examine: async ({ deliveries, standings, usage }: Rest) => {
      const known = new Map(deliveries.map((one) => [one.id, one]))
      const hasDied = struck(/^receiver /, /crash/)
      for (const { id, posting, made } of accepted) {
        const { hope, label } = posting
        const made2 = Buffer.from(await made.call.readBody(Infinity))
        const record = known.get(id)
        const problem = record ? recordProblem(record, made2, posting) : undefined
        if (problem) sim.violate(problem[0], `the record of ${label} ${problem[1]}`)
        if (!record && !hasDied) sim.violate(5, `${label} was accepted, and no record tells of it`)
        for (const one of 'records' in hope ? hope.records : []) {
          const made3 = jobs.get(one)?.size ?? 0
          if (made3 === 0) sim.violate(5, `${label} was accepted, and nothing came of ${one}`)
          if (made3 > 1) sim.violate(2, `one change of ${one} became ${made3} jobs`)
        }
      }
      const pending = deliveries.filter(({ status }) => status === 'pending')
      if (pending.length > 0) sim.violate(1, `${pending.length} deliveries still wait`)
      for (const [thing, rank] of rankOf) {
        const standing = standings.find(({ externalId }) => externalId === thing)
        // What was never answered may have been noted all the same.
        if (!standing || standing.rank < rank || !told.get(thing)?.has(standing.rank)) {
          sim.violate(5, `${thing} had come to ${rank}, and stands at ${standing?.rank}`)
        }
        if (!jobs.has(thing)) sim.violate(5, `nothing came of the statuses of ${thing}`)
      }
      if (hasDied) return
      for (const [house, refused] of count.refused) {
        const tellings = deliveries.filter(
          ({ registrationId, status }) => registrationId === house && status === 'refused',
        )
        if (tellings.length < refused) {
          sim.violate(
            5,
            `${refused} calls were refused at ${house}, and ${tellings.length} are told of`,
          )
        }
      }
      const used = usage.reduce((sum, one) => sum + one.count, 0)
      const isCounted = used === count.used || (used > count.used && struck(/usage/, /lost/))
      if (!isCounted) sim.violate(5, `secrets let in ${count.used} calls, and ${used} are counted`)
    },
  }
}

/** A record holds the very bytes that were sent, and says what was unusual. */
function recordProblem(
  { body, quarantine = [], replay, status }: Delivery,
  bytes: Buffer,
  { hope }: Posting,
): readonly [number, string] | undefined {
  const kept = body?.at === 'document' ? Buffer.from(body.base64, 'base64') : undefined
  if (kept && !kept.equals(bytes)) return [5, 'holds other bytes than were sent']
  if (hope.kind === 'quarantined' && (!kept || status !== 'quarantined')) {
    return [5, `is ${status}, and nobody can look at what it said`]
  }
  const spoilt = hope.kind === 'heard' ? (hope.spoilt ?? 0) : 0
  if (hope.kind !== 'quarantined' && quarantine.length !== spoilt) {
    return [5, `tells of ${quarantine.length} elements that cannot be used, of ${spoilt}`]
  }
  const hasLeave = hope.kind === 'heard' && hope.hasLeave === true
  return hasLeave && replay !== true ? [5, 'does not say that an operator let it in'] : undefined
}
