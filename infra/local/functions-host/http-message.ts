import type { Params } from './route-template.ts'
import type { Nullable, RpcCookie, RpcHttp, TypedData } from './rpc.ts'

/** A request as it came in: names and values of the headers in turn, body whole. */
export interface IncomingHttp {
  readonly method: string
  /** Path and query exactly as sent. */
  readonly target: string
  readonly host: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/**
 * The trigger data of an HTTP request as the host sends it to a worker without streaming (azure-functions-host,
 * GrpcMessageConversionExtensions.ToRpcHttp): repeated headers and query keys become one value joined by a comma, and the
 * body is forwarded only when the request had a Content-Length above 0, so a chunked body arrives empty.
 */
export function toHttpTrigger(request: IncomingHttp, params: Params): TypedData {
  const { method, target, host, body } = request
  const headers = joinHeaders(request.rawHeaders)
  const length = Number(headers['content-length'] ?? 0)
  return {
    http: {
      method,
      url: `http://${host}${target}`,
      nullableHeaders: nullable(headers),
      nullableQuery: nullable(joinQuery(target)),
      nullableParams: nullable(params),
      ...(length > 0 ? { body: { bytes: body } } : {}),
    },
  }
}

/** Names in lower case, repeats joined by a comma without a space (StringValues.ToString). */
export function joinHeaders(raw: readonly string[]): Readonly<Record<string, string>> {
  const joined: Record<string, string> = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    append(joined, (raw[index] ?? '').toLowerCase(), raw[index + 1] ?? '')
  }
  return joined
}

/** Keys differ in more than case, as in ASP.NET's query collection; the first spelling stays. */
export function joinQuery(target: string): Readonly<Record<string, string>> {
  const start = target.indexOf('?')
  const joined: Record<string, string> = {}
  const spelling = new Map<string, string>()
  for (const [key, value] of new URLSearchParams(start < 0 ? '' : target.slice(start))) {
    const lower = key.toLowerCase()
    const name = spelling.get(lower) ?? key
    spelling.set(lower, name)
    append(joined, name, value)
  }
  return joined
}

function append(joined: Record<string, string>, name: string, value: string): void {
  joined[name] = Object.hasOwn(joined, name) ? `${joined[name]},${value}` : value
}

function nullable(values: Readonly<Record<string, string>>): Record<string, Nullable<string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))
}

export interface OutgoingHttp {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Buffer
}

/** The answer of an HTTP function; a function that returned nothing answers 204. */
export function fromHttpResult(result: TypedData | null | undefined): OutgoingHttp {
  const http = result?.http
  if (!http) return { status: 204, headers: {}, body: Buffer.alloc(0) }
  const status = Number(http.statusCode ?? 200)
  const headers: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    if (!HOST_HEADERS.has(name.toLowerCase())) headers[name] = value
  }
  const cookies = (http.cookies ?? []).map(cookieLine)
  const set = headers['set-cookie']
  const lines = typeof set === 'string' ? [set, ...cookies] : cookies
  if (lines.length > 0) headers['set-cookie'] = lines
  return { status, headers, body: bodyOf(http) }
}

/** The host frames the answer by itself. */
const HOST_HEADERS = new Set(['content-length', 'transfer-encoding', 'connection'])

function bodyOf({ body }: RpcHttp): Buffer {
  if (body?.bytes) return Buffer.from(body.bytes)
  return Buffer.from(body?.string ?? body?.json ?? '')
}

const SAME_SITE = { none: undefined, lax: 'lax', strict: 'strict', explicitNone: 'none' } as const

/** A Set-Cookie line in the order and spelling of ASP.NET Core; the value is escaped (RFC 6265 §4.1). */
function cookieLine(cookie: RpcCookie): string {
  const expires = cookie.expires && new Date(cookie.expires.value).toUTCString()
  const sameSite = SAME_SITE[cookie.sameSite ?? 'none']
  return [
    `${encodeURIComponent(cookie.name)}=${encodeURIComponent(cookie.value)}`,
    expires && `expires=${expires}`,
    cookie.maxAge && `max-age=${Math.trunc(cookie.maxAge.value)}`,
    cookie.domain && `domain=${cookie.domain.value}`,
    cookie.path ? `path=${cookie.path.value}` : 'path=/',
    cookie.secure?.value && 'secure',
    sameSite && `samesite=${sameSite}`,
    cookie.httpOnly?.value && 'httponly',
  ]
    .filter((part) => typeof part === 'string')
    .join('; ')
}
