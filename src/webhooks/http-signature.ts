import { createHash } from 'node:crypto'
import { headerOf, parseUrl } from './places.ts'
import type { HttpSignatureScheme, WebhookRequest } from './scheme.ts'

/** Header lines longer than this are not parsed. */
const MAX_HEADER_LENGTH = 8_192

export type SignedMessage = Pick<WebhookRequest, 'method' | 'url' | 'headers' | 'rawBody'>

/** One signature of a request: what it covers, its parameters, and where it stands. */
export interface HttpSignature {
  /** As written: `"@method"`, `"@query-param";name="x"` (RFC 9421); lower-case names (draft-cavage). */
  readonly components: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  /** The value of the `@signature-params` line. */
  readonly input: string
  readonly signature: string
}

const PARAMETERS = String.raw`(?:;[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^;,\s"()]+))?)*`
const inputMember = new RegExp(
  String.raw`\s*([a-z*][a-z0-9_.*-]*)=(\((?:"[^"\\]*"${PARAMETERS}| )*\)${PARAMETERS})\s*(?:,|$)`,
  'y',
)
const signatureMember = /\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:,|$)/y
const cavageMember = /\s*([A-Za-z]+)=(?:"([^"]*)"|(\d+))\s*(?:,|$)/y
const component = new RegExp(String.raw`"[^"\\]*"${PARAMETERS}`, 'g')
const parameter = /;([a-z*][a-z0-9_.*-]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^;,\s"()]+)))?/g

/** The signatures that a request carries; undefined when there are none, empty when they cannot be read. */
export function httpSignaturesOf(
  { style }: HttpSignatureScheme,
  headers: SignedMessage['headers'],
): readonly HttpSignature[] | undefined {
  const signature = headerOf(headers, 'signature')
  if (style === 'cavage') {
    const authorization = headerOf(headers, 'authorization')?.match(/^Signature (.*)$/)?.[1]
    const text = signature ?? authorization
    return text === undefined ? undefined : cavageSignature(text)
  }
  const input = headerOf(headers, 'signature-input')
  if (signature === undefined || input === undefined) return undefined
  const signatures = members(signature, signatureMember)
  const inputs = members(input, inputMember)
  if (signatures === undefined || inputs === undefined) return []
  return [...inputs].flatMap(([label, value]) => {
    const found = signatures.get(label)
    return found === undefined ? [] : [{ ...parseInput(value), input: value, signature: found }]
  })
}

/** The base string; undefined when it names a component that the request lacks or that we do not know. */
export function signatureBase(
  { style }: HttpSignatureScheme,
  message: SignedMessage,
  { components, parameters, input }: Pick<HttpSignature, 'components' | 'parameters' | 'input'>,
): string | undefined {
  if (new Set(components).size < components.length) return undefined
  const lines = components.map((name) => {
    const value =
      style === 'rfc9421' ? componentValue(name, message) : cavageValue(name, message, parameters)
    return value === undefined ? undefined : `${name}: ${value}`
  })
  if (lines.includes(undefined)) return undefined
  const last = style === 'rfc9421' ? [`"@signature-params": ${input}`] : []
  return [...lines, ...last].join('\n')
}

/** Content-Digest (RFC 9530) or Digest (RFC 3230): every algorithm that we know must agree with the body, one at least. */
export function digestHolds({ style }: HttpSignatureScheme, message: SignedMessage): boolean {
  const header = headerOf(message.headers, style === 'rfc9421' ? 'content-digest' : 'digest') ?? ''
  const known = header.split(',').flatMap((member) => {
    const [, name = '', value] =
      /^\s*(sha-256|sha-512)=:?([A-Za-z0-9+/=]+):?\s*$/i.exec(member) ?? []
    return value === undefined ? [] : [{ name: name.toLowerCase(), value }]
  })
  return (
    known.length > 0 &&
    known.every(({ name, value }) => value === bodyDigest(message.rawBody, name))
  )
}

export function bodyDigest(rawBody: Uint8Array, name: string): string {
  return createHash(name === 'sha-512' ? 'sha512' : 'sha256')
    .update(rawBody)
    .digest('base64')
}

function members(text: string, pattern: RegExp): Map<string, string> | undefined {
  const found = new Map<string, string>()
  if (text.length > MAX_HEADER_LENGTH) return undefined
  const sticky = new RegExp(pattern)
  while (sticky.lastIndex < text.length) {
    const match = sticky.exec(text)
    const [, name = '', ...values] = match ?? []
    if (match === null || found.has(name)) return undefined
    found.set(name, values.find((value) => value !== undefined) ?? '')
  }
  return found
}

function parseInput(value: string): Pick<HttpSignature, 'components' | 'parameters'> {
  const end = value.lastIndexOf(')')
  const list = value.slice(1, closingParenthesis(value, end))
  const tail = value.slice(list.length + 2)
  return { components: list.match(component) ?? [], parameters: parametersOf(tail) }
}

/** The inner list ends at the first `)` outside quotes. */
function closingParenthesis(value: string, last: number): number {
  const unquoted = value.replace(/"(?:[^"\\]|\\.)*"/g, (quoted) => ' '.repeat(quoted.length))
  const found = unquoted.indexOf(')')
  return found < 0 ? last : found
}

function parametersOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(parameter)].map(([, name = '', quoted, bare]) => [
      name,
      quoted ?? bare ?? '',
    ]),
  )
}

function cavageSignature(text: string): readonly HttpSignature[] {
  const found = members(text, cavageMember)
  const signature = found?.get('signature')
  if (found === undefined || signature === undefined) return []
  const components = (found.get('headers') ?? 'date').split(' ')
  return [{ components, parameters: Object.fromEntries(found), input: '', signature }]
}

function componentValue(item: string, message: SignedMessage): string | undefined {
  const [, name = '', tail = ''] = /^"([^"]*)"(.*)$/.exec(item) ?? []
  const url = parseUrl(message.url)
  if (name === '@query-param') {
    const wanted = parametersOf(tail)['name']
    const values = url?.searchParams.getAll(wanted ?? '') ?? []
    return values.length === 1 ? formEncode(values[0] ?? '') : undefined
  }
  if (tail !== '') return undefined
  if (!name.startsWith('@')) return headerLine(message, name)
  if (url === undefined) return undefined
  const derived: Readonly<Record<string, string>> = {
    '@method': message.method.toUpperCase(),
    '@target-uri': message.url,
    '@authority': url.host,
    '@scheme': url.protocol.slice(0, -1),
    '@request-target': url.pathname + url.search,
    '@path': url.pathname,
    '@query': url.search === '' ? '?' : url.search,
  }
  return Object.hasOwn(derived, name) ? derived[name] : undefined
}

/** The form-urlencoded percent-encode set, blanks as %20 (RFC 9421 §2.2.8). */
function formEncode(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function cavageValue(
  name: string,
  message: SignedMessage,
  parameters: Readonly<Record<string, string>>,
): string | undefined {
  if (name === '(created)') return parameters['created']
  if (name === '(expires)') return parameters['expires']
  if (name !== '(request-target)') return headerLine(message, name)
  const url = parseUrl(message.url)
  return url === undefined
    ? undefined
    : `${message.method.toLowerCase()} ${url.pathname}${url.search}`
}

function headerLine({ headers }: SignedMessage, name: string): string | undefined {
  return Object.hasOwn(headers, name) ? headers[name]?.trim().replace(/\s*\n\s*/g, ' ') : undefined
}
