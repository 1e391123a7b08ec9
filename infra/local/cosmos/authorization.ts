import { createHmac, timingSafeEqual } from 'node:crypto'
import type { LocalRequest } from '../http-server.ts'
import { CosmosError } from './errors.ts'
import type { Route } from './route.ts'

export interface AuthorizationPolicy {
  /** The account's key, base64. */
  readonly key: string
  /** Whether any Entra bearer token is let in (there is no tenant here that could check it). */
  readonly acceptEntra: boolean
  /** The real time, not the clock that tests step: clients sign with their own. */
  readonly realNowMs: number
}

/** How far `x-ms-date` may be from now (vendor's REST reference: 15 minutes). */
const DATE_TOLERANCE_MS = 15 * 60 * 1000

/** Throws 401 unless the request is signed with the account's key or carries an accepted Entra token. */
export function authorize(request: LocalRequest, route: Route, policy: AuthorizationPolicy): void {
  const { type, signature } = readToken(request.headers['authorization'])
  if (type === 'aad') {
    if (policy.acceptEntra) return
    throw unauthorized('This account does not accept Entra tokens.')
  }
  if (type !== 'master') throw unauthorized('The authorization token type is not supported.')
  const date = request.headers['x-ms-date'] ?? request.headers['date'] ?? ''
  const ageMs = Math.abs(policy.realNowMs - Date.parse(date))
  if (!(ageMs <= DATE_TOLERANCE_MS)) {
    throw unauthorized('The authorization token is not valid at the current time.')
  }
  const expected = sign(policy.key, { method: request.method, ...route.signed, date })
  if (!sameText(expected, signature)) {
    throw unauthorized(
      "The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol.",
    )
  }
}

export interface SignedParts {
  readonly method: string
  readonly type: string
  readonly link: string
  readonly date: string
}

/** HMAC-SHA256, base64 (vendor's REST reference, "Access control on Azure Cosmos DB resources"). */
export function sign(key: string, { method, type, link, date }: SignedParts): string {
  const text = `${method.toLowerCase()}\n${type.toLowerCase()}\n${link}\n${date.toLowerCase()}\n\n`
  return createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')
}

function readToken(header: string | undefined): { type: string; signature: string } {
  if (!header) throw unauthorized("Required Header 'authorization' is missing.")
  const match = /^type=(\w+)&ver=1\.0&sig=(.*)$/s.exec(decode(header))
  return { type: match?.[1] ?? '', signature: match?.[2] ?? '' }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function unauthorized(message: string): CosmosError {
  return new CosmosError(401, message)
}
