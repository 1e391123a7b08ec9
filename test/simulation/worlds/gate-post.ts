import { AppError } from '../../../src/core/errors.ts'
import { readBytes } from '../../../src/functions/http.ts'
import type { IncomingWebhook } from '../../../src/webhooks/call.ts'
import type { Receipt, WebhookReceiver } from '../../../src/webhooks/receive.ts'
import type { Instance } from '../instances.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { House } from './gate-houses.ts'

const MINUTE_MS = 60_000
const RETRY_MINUTES = [1, 5, 15]
const TIMEOUT_MS = 10_000
const CHUNK_BYTES = 4_096

/** What has to become of a call. */
export type Hope =
  /** Accepted, and a message for each of these records. `spoilt` of its elements cannot be used. */
  | {
      readonly kind: 'heard'
      readonly records: readonly string[]
      readonly spoilt?: number
      readonly hasLeave?: true
    }
  /** Accepted as long as there is room, else told to come again. */
  | { readonly kind: 'heard if there is room'; readonly records: readonly string[] }
  | { readonly kind: 'statuses'; readonly thing: string; readonly ranks: readonly number[] }
  /** `offMs`: its only fault is a stamp that is so far from the present. */
  | { readonly kind: 'refused'; readonly offMs?: number }
  /** Accepted or called unreadable; nobody can use it, and it is kept. */
  | { readonly kind: 'quarantined' }
  | { readonly kind: 'too large' }
  | { readonly kind: 'greeted'; readonly type: string; readonly body: string }
  /** A handshake that gets no answer but a number. */
  | { readonly kind: 'turned away' }
  | { readonly kind: 'unknown' }

export interface Made {
  readonly call: IncomingWebhook
  /** The secret that it was signed with. */
  readonly secret?: string
}

export interface Posting {
  readonly label: string
  /** In words, for the timeline. */
  readonly what: string
  readonly house: House
  /** As its sender writes it when it is sent. */
  readonly make: () => Made
  readonly hope: Hope
  /** How often its sender tries. */
  readonly tries?: number
}

export interface Answered {
  readonly posting: Posting
  readonly made: Made
  readonly actor: Actor
  readonly tookMs: number
  readonly outcome: Receipt | Error
  /** Bytes of the body that were read. */
  readonly read: number
}

export interface Street {
  readonly sim: Simulation
  readonly instances: readonly Instance<WebhookReceiver>[]
  readonly answered: (answer: Answered) => void
  readonly posted: (posting: Posting) => void
}

/** Sends a call to one of the instances, and again until somebody has decided on it. */
export function post(street: Street, posting: Posting): void {
  street.posted(posting)
  attempt(street, posting, 1)
}

function attempt(street: Street, posting: Posting, nth: number): void {
  const { sim, instances } = street
  const { label, what, house, tries = RETRY_MINUTES.length + 1 } = posting
  const name = `${label}/${nth}`
  let settled = false
  const settle = (isDecided: boolean, waitMs = (RETRY_MINUTES[nth - 1] ?? 60) * MINUTE_MS) => {
    if (settled) return
    settled = true
    if (isDecided || nth >= tries) return
    sim.at(sim.now() + waitMs, () => attempt(street, posting, nth + 1))
  }
  sim.at(sim.now() + TIMEOUT_MS, () => settle(false))
  const fault = sim.strike('sender post', `${name} post`, 'incoming post')
  const made = posting.make()
  const arrive = async (which: number): Promise<void> => {
    const { serves: receiver, actor } = instances[which % instances.length] ?? {}
    if (!receiver || !actor) return settle(false)
    const begunMs = sim.now()
    const reading = { bytes: 0 }
    const outcome = await receiver.receive(counted(made.call, reading)).catch(failure)
    if (!actor.alive()) return
    const told = outcome instanceof Error ? outcome.message : outcome.kind
    sim.note(actor.name, `says ${told} to ${what} at ${house.id}`)
    const tookMs = sim.now() - begunMs
    street.answered({ posting, made, actor, tookMs, outcome, read: reading.bytes })
    if (fault?.kind === 'answer-lost') return settle(false)
    if (outcome instanceof Error) return settle(false)
    if (outcome.kind === 'limited') return settle(false, outcome.waitMs)
    settle(outcome.kind !== 'refused' || posting.hope.kind === 'refused')
  }
  const which = Math.floor(sim.faults.chance(`${name} instance`) * 100)
  void arrive(which)
  if (fault?.kind === 'twice') void arrive(which + 1)
}

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** The body as it comes over the wire: by chunks, its length told in its headers or not at all. */
function counted(call: IncomingWebhook, reading: { bytes: number }): IncomingWebhook {
  return {
    ...call,
    readBody: async (limit) => {
      const whole = await call.readBody(Infinity)
      let at = 0
      const body = new ReadableStream<Uint8Array>(
        {
          pull: (controller) => {
            const chunk = whole.subarray(at, at + CHUNK_BYTES)
            at += chunk.length
            reading.bytes += chunk.length
            if (chunk.length > 0) controller.enqueue(chunk)
            else controller.close()
          },
        },
        { highWaterMark: 0 },
      )
      const length = call.headers['content-length']
      const headers = new Headers(length === undefined ? {} : { 'content-length': length })
      const arrayBuffer = async () => {
        reading.bytes += whole.length
        return Uint8Array.from(whole).buffer
      }
      return readBytes({ headers, body, arrayBuffer }, limit)
    },
  }
}

export function isAway(outcome: Receipt | Error): boolean {
  return outcome instanceof AppError && outcome.code.endsWith('_unavailable')
}
