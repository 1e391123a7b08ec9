import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from './json.ts'

const claimsShape = z.looseObject({
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
})
export type Claims = z.infer<typeof claimsShape>
export type Verdict =
  | { readonly valid: true; readonly claims: Claims }
  | { readonly valid: false; readonly reason: string }

export interface TokenRules {
  readonly accessKey: string
  /** URLs for which the token may have been made; one of them is enough. */
  readonly audiences: readonly string[]
  readonly nowMs: number
}

/**
 * Checks a token of either service: HS256 by the text of the access key, `aud` one of the URLs, `exp` in the future.
 * No leeway: a stepped clock must decide.
 */
export function verifyToken(token: string | undefined, rules: TokenRules): Verdict {
  if (!token) return refuse('the access token is missing')
  const [header = '', payload = '', signature = ''] = token.split('.')
  if (algorithmOf(header) !== 'HS256') return refuse('the token is not a JWT signed with HS256')
  if (!matches(signature, hmac(`${header}.${payload}`, rules.accessKey)))
    return refuse('the signature is not made with the access key')
  const claims = claimsShape.safeParse(decode(payload))
  if (!claims.success) return refuse('the token needs the claims aud and exp')
  const { aud, exp, nbf } = claims.data
  if (exp * 1_000 <= rules.nowMs) return refuse('the token has expired')
  if (nbf !== undefined && nbf * 1_000 > rules.nowMs) return refuse('the token is not valid yet')
  const accepted = new Set(rules.audiences.map(canonical))
  if (![aud].flat().some((claimed) => accepted.has(canonical(claimed))))
    return refuse(`the audience is ${[aud].flat().join(', ')}, expected ${rules.audiences[0]}`)
  return { valid: true, claims: claims.data }
}

export function signToken(claims: Readonly<Record<string, unknown>>, accessKey: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${content}.${hmac(content, accessKey)}`
}

/** The bearer token of a request; a browser's WebSocket sends it as `access_token` in the query. */
export function tokenOf(
  headers: Readonly<Record<string, string | undefined>>,
  url: URL,
): string | undefined {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers['authorization'] ?? '')?.[1]
  return bearer ?? url.searchParams.get('access_token') ?? undefined
}

/**
 * Audiences under which a REST call is accepted: its URL with or without the query, or the Entra resource of the service.
 * The stock Web PubSub client signs with the query, the SignalR documents say without. A token for the Entra resource
 * stands for managed identity; here it too is signed with the access key.
 */
export function restAudiences(url: URL, entraResource: string): readonly string[] {
  return [`${url.origin}${url.pathname}`, url.href, entraResource]
}

/** A claim that is one text, a list of texts, or absent. */
export function textsOf(claim: unknown): readonly string[] {
  return [claim].flat().filter((value) => typeof value === 'string')
}

function refuse(reason: string): Verdict {
  return { valid: false, reason }
}

function hmac(content: string, key: string): string {
  return createHmac('sha256', key).update(content).digest('base64url')
}

function matches(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function algorithmOf(header: string): unknown {
  return z.looseObject({ alg: z.string() }).safeParse(decode(header)).data?.alg
}

function decode(part: string): unknown {
  return parseJson(Buffer.from(part, 'base64url'))
}

/** Clients escape the same URL differently, so URLs are compared unescaped, in lower case, with no slash at the end. */
function canonical(audience: string): string {
  const href = URL.canParse(audience) ? new URL(audience).href : audience
  return unescaped(href).toLowerCase().replace(/\/$/, '')
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
