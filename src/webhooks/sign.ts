import { createHash } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { algorithms, signingKeyOf } from './algorithms.ts'
import { encode } from './encoding.ts'
import { bodyDigest, signatureBase } from './http-signature.ts'
import { renderMessage } from './message.ts'
import { deliveryIdAt } from './places.ts'
import type {
  HttpSignatureScheme,
  JwtScheme,
  KeyFormat,
  Place,
  Scheme,
  SignedScheme,
} from './scheme.ts'
import { writeTimestamp } from './timestamp.ts'
import { signatureAlgorithms } from './verify-jwt.ts'

export interface UnsignedRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly rawBody: Uint8Array
  readonly now: Date
  /** The shared secret; for public-key schemes and RS256 the private key in PEM (Ed25519 also as `whsk_…`). */
  readonly secret: string
  /** Further claims of a JWT, and claims that shall differ from what the scheme would write. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly keyId?: string
}

export interface SignedRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly rawBody: Uint8Array
}

const TOKEN_LIFETIME_SECONDS = 3_600

/**
 * The request as a sender of this scheme would send it: for tests, samples and the fake vendors. Headers that are part
 * of what is signed (a delivery's id) must be there already. Throws when the secret cannot be a key of the scheme.
 */
export function sign(scheme: Scheme, unsigned: UnsignedRequest): SignedRequest {
  switch (scheme.kind) {
    case 'signed':
      return signMessage(scheme, unsigned)
    case 'token':
      return write(scheme.at[0], unsigned.secret, plain(unsigned))
    case 'jwt':
      return write(scheme.at, token(scheme, unsigned), plain(unsigned))
    case 'http-signature':
      return signHttp(scheme, unsigned)
    case 'choice': {
      const [option] = scheme.of
      if (option === undefined) throw new TypeError('a choice of no schemes')
      return sign(option.scheme, unsigned)
    }
  }
}

function plain({ method, url, headers = {}, rawBody }: UnsignedRequest): SignedRequest {
  return { method, url, headers, rawBody }
}

function key(secret: string, format: KeyFormat): KeyObject {
  const found = signingKeyOf(secret, format)
  if (found === undefined) throw new TypeError(`the secret is no ${format.encoding} key`)
  return found
}

function signMessage(scheme: SignedScheme, unsigned: UnsignedRequest): SignedRequest {
  const { timestamp: rule, signature } = scheme
  const timestamp = rule === undefined ? undefined : writeTimestamp(rule, unsigned.now)
  const hashed = withBodyHash(scheme, plain(unsigned))
  const message = renderMessage(
    scheme,
    { url: hashed.url, body: Buffer.from(hashed.rawBody) },
    {
      method: hashed.method,
      secret: unsigned.secret,
      timestamp,
      id: deliveryIdAt(scheme.id, hashed),
    },
  )
  const bytes = algorithms[scheme.algorithm].make(key(unsigned.secret, scheme.key), message)
  const [encoding = 'hex'] = signature.encodings
  const written = `${signature.prefix ?? ''}${encode(bytes, encoding)}`
  if (rule?.at.in === 'element') {
    const elements = [`${rule.at.prefix}${timestamp}`, written]
    return withHeader(hashed, signature.header, elements.join(signature.list ?? ','))
  }
  const stamped = rule === undefined ? hashed : write(rule.at, timestamp ?? '', hashed)
  return withHeader(stamped, signature.header, written)
}

/** Twilio: a body that is no form is signed by its hash in the URL. */
function withBodyHash(
  { bodyHashQuery: name }: SignedScheme,
  request: SignedRequest,
): SignedRequest {
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  if (name === undefined || isForm === true || request.rawBody.length === 0) return request
  const hash = createHash('sha256').update(request.rawBody).digest('hex')
  return write({ in: 'query', name }, hash, request)
}

function token(scheme: JwtScheme, { now, secret, claims, keyId }: UnsignedRequest): string {
  const seconds = Math.floor(now.getTime() / 1_000)
  const header = {
    alg: scheme.algorithm,
    typ: 'JWT',
    ...(keyId === undefined ? {} : { kid: keyId }),
  }
  const payload = {
    ...(scheme.issuers === undefined ? {} : { iss: scheme.issuers[0] }),
    ...scheme.fixedClaims,
    iat: seconds,
    exp: seconds + TOKEN_LIFETIME_SECONDS,
    ...claims,
  }
  const text = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const isShared = scheme.algorithm === 'HS256'
  const algorithm = algorithms[signatureAlgorithms[scheme.algorithm]]
  const material = key(secret, { encoding: isShared ? 'utf8' : 'public-key' })
  return `${text}.${algorithm.make(material, Buffer.from(text)).toString('base64url')}`
}

function signHttp(scheme: HttpSignatureScheme, unsigned: UnsignedRequest): SignedRequest {
  const { now, secret, keyId = 'default' } = unsigned
  const material = key(secret, scheme.key)
  const isDraft = scheme.style === 'cavage'
  const digest = bodyDigest(unsigned.rawBody, 'sha-256')
  const added: Record<string, string> = isDraft
    ? { date: now.toUTCString(), digest: `SHA-256=${digest}` }
    : { 'content-digest': `sha-256=:${digest}:` }
  const request = { ...plain(unsigned), headers: { ...added, ...unsigned.headers } }

  const components = scheme.covers.map((name) => (isDraft ? name : `"${name}"`))
  const created = String(Math.floor(now.getTime() / 1_000))
  const input = `(${components.join(' ')});created=${created};keyid="${keyId}"`
  const base = signatureBase(scheme, request, { components, parameters: { created }, input })
  if (base === undefined) throw new TypeError('the request lacks a component that is signed')
  const value = encode(algorithms[scheme.algorithm].make(material, Buffer.from(base)), 'base64')
  if (!isDraft) {
    const signed = withHeader(request, 'signature-input', `sig1=${input}`)
    return withHeader(signed, 'signature', `sig1=:${value}:`)
  }
  const list = components.join(' ')
  return withHeader(
    request,
    'signature',
    `keyId="${keyId}",algorithm="${scheme.algorithm}",headers="${list}",signature="${value}"`,
  )
}

function withHeader(request: SignedRequest, name: string, value: string): SignedRequest {
  return { ...request, headers: { ...request.headers, [name]: value } }
}

function write(place: Place | undefined, value: string, request: SignedRequest): SignedRequest {
  switch (place?.in) {
    case 'header':
      return withHeader(request, place.name, `${place.prefix ?? ''}${value}`)
    case 'basic':
      return withHeader(request, 'authorization', `Basic ${Buffer.from(value).toString('base64')}`)
    case 'query': {
      const separator = request.url.includes('?') ? '&' : '?'
      const pair = `${encodeURIComponent(place.name)}=${encodeURIComponent(value)}`
      return { ...request, url: `${request.url}${separator}${pair}` }
    }
    case 'json': {
      const body: unknown = JSON.parse(Buffer.from(request.rawBody).toString('utf8'))
      return { ...request, rawBody: Buffer.from(JSON.stringify(placed(body, place.path, value))) }
    }
    case 'xml':
    case undefined:
      throw new TypeError('a token cannot be written there')
  }
}

/** The value put at a path of a JSON value: into every element where the path holds `*`, one new element at its end. */
function placed(target: unknown, [step, ...rest]: readonly string[], value: string): unknown {
  if (step === undefined) return value
  if (step === '*') {
    const list: readonly unknown[] = Array.isArray(target) ? target : [undefined]
    return list.map((element) => placed(element, rest, value))
  }
  const fields = typeof target === 'object' && target !== null ? target : {}
  const before: unknown = Reflect.get(fields, step)
  return { ...fields, [step]: placed(before, rest, value) }
}
