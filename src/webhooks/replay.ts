import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { decodeStrictly } from './encoding.ts'

/** Leave to deliver an old event again, given by an operator: a token, and the secrets that may have signed it. */
export interface ReplayLeave {
  readonly token: string
  readonly secrets: readonly string[]
}

/**
 * A token with which exactly this body passes until then although its timestamp is too old. It does not replace the
 * sender's signature. The secret is the operator's, never one that senders have.
 */
export function replayToken(secret: string, rawBody: Uint8Array, until: Date): string {
  const seconds = Math.floor(until.getTime() / 1_000)
  return `${seconds}.${mac(secret, rawBody, seconds).toString('base64url')}`
}

/** Whether the leave covers this body now. */
export function mayReplay(leave: ReplayLeave | undefined, rawBody: Uint8Array, now: Date): boolean {
  const [, until, text = ''] = /^(\d{1,12})\.([\w-]+)$/.exec(leave?.token ?? '') ?? []
  const given = decodeStrictly(text, 'base64url')
  if (leave === undefined || until === undefined || given?.length !== 32) return false
  const usable = leave.secrets.filter((secret) => secret !== '')
  const matches = usable.map((secret) =>
    timingSafeEqual(mac(secret, rawBody, Number(until)), given),
  )
  return matches.includes(true) && now.getTime() < Number(until) * 1_000
}

function mac(secret: string, rawBody: Uint8Array, untilSeconds: number): Buffer {
  const body = createHash('sha256').update(rawBody).digest('hex')
  return createHmac('sha256', secret).update(`replay:${untilSeconds}:${body}`).digest()
}
