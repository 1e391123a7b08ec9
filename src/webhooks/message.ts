import { parseForm, queryOf } from './places.ts'
import type { SignedScheme, WebhookRequest } from './scheme.ts'

export interface MessageValues {
  readonly timestamp?: string | undefined
  readonly id?: string | undefined
}

/** A way of writing what was signed; the name is undefined for "as received". */
export interface MessageForm {
  readonly name?: string
  readonly url: string
  readonly body: Buffer
}

type Form = NonNullable<SignedScheme['forms']>[number]

const formWriters: Readonly<Record<Form, (form: MessageForm) => readonly MessageForm[]>> = {
  'escaped-body': ({ url, body }) => {
    const escaped = escapeNonAscii(body)
    return escaped === undefined ? [] : [{ name: 'escaped-body', url, body: escaped }]
  },
  'twilio-url': ({ url, body }) =>
    twilioUrls(url).map((written) => ({ name: 'twilio-url', url: written, body })),
  'hubspot-url': ({ url, body }) => [{ name: 'hubspot-url', url: decodeForHubSpot(url), body }],
}

/** The request as received first, then the other ways of writing it that the scheme names, none of them twice. */
export function messageForms(scheme: SignedScheme, request: WebhookRequest): MessageForm[] {
  const received: MessageForm = { url: request.url, body: viewOf(request.rawBody) }
  const others = (scheme.forms ?? []).flatMap((form) => formWriters[form](received))
  const seen = new Set([received.url])
  return [
    received,
    ...others.filter(
      ({ url, body }) => body !== received.body || (!seen.has(url) && seen.add(url)),
    ),
  ]
}

/** What is signed, byte for byte: the scheme's template with its values put in. */
export function renderMessage(
  scheme: SignedScheme,
  form: MessageForm,
  { method, secret, timestamp = '', id = '' }: MessageValues & { method: string; secret: string },
): Buffer {
  const values: Readonly<Record<string, () => string | Buffer>> = {
    body: () => form.body,
    timestamp: () => timestamp,
    id: () => id,
    method: () => method.toUpperCase(),
    url: () => form.url,
    form: () => sortedForm(scheme, form),
    secret: () => secret,
  }
  const parts = scheme.signed.split(/\{(\w+)\}/)
  const pieces = parts.map((part, index) => (index % 2 === 0 ? part : (values[part]?.() ?? '')))
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)),
  )
}

/** The same bytes, not copied. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Every key and value of a form post, sorted by key, values of one key once each and sorted (twilio-node). */
function sortedForm(scheme: SignedScheme, { url, body }: MessageForm): string {
  const hashed = scheme.bodyHashQuery !== undefined && queryOf(url).has(scheme.bodyHashQuery)
  if (hashed) return ''
  const fields = parseForm(body.toString('utf8'))
  const keys = [...new Set(fields.keys())].sort()
  return keys
    .flatMap((key) => [...new Set(fields.getAll(key))].sort().map((value) => `${key}${value}`))
    .join('')
}

/**
 * Meta makes its MAC over the text with everything beyond ASCII written as lower-case `\uXXXX`. Undefined where the body
 * is ASCII already or no UTF-8.
 */
function escapeNonAscii(body: Buffer): Buffer | undefined {
  if (body.every((byte) => byte < 0x80)) return undefined
  const text = body.toString('utf8')
  if (!Buffer.from(text, 'utf8').equals(body)) return undefined
  const escaped = text.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return Buffer.from(escaped, 'ascii')
}

/** The senders of Twilio differ: with and without a port, the query escaped by either of two rules (twilio-node). */
function twilioUrls(url: string): readonly string[] {
  const match = /^(https?):\/\/([^/?#]*@)?([^/?#@]*?)(:\d+)?([/?#].*)?$/.exec(url)
  if (match === null) return []
  const [, scheme = '', user = '', host = '', port, rest = ''] = match
  const standard = scheme === 'https' ? ':443' : ':80'
  const bare = `${scheme}://${user}${host}${rest}`
  const withPort = `${scheme}://${user}${host}${port ?? standard}${rest}`
  return [bare, withPort].flatMap((each) => [each, escapeQuery(each), rewriteQuery(each)])
}

function escapeQuery(url: string): string {
  return withQuery(url, (query) =>
    query.replace(
      /['"<> ]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  )
}

function rewriteQuery(url: string): string {
  return withQuery(url, (query) => {
    const fields = parseForm(query)
    const pair = (key: string, value: string) =>
      `${encodeURIComponent(key)}=${encodeURIComponent(value)}`
    return [...new Set(fields.keys())]
      .flatMap((key) => fields.getAll(key).map((value) => pair(key, value)))
      .join('&')
  })
}

function withQuery(url: string, rewrite: (query: string) => string): string {
  const start = url.indexOf('?') + 1
  return start === 0 ? url : url.slice(0, start) + rewrite(url.slice(start))
}

/** The escapes that HubSpot's documents name for v3; its own library decodes none, so this is the second form. */
function decodeForHubSpot(url: string): string {
  return url.replace(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escape) =>
    String.fromCharCode(Number.parseInt(escape.slice(1), 16)),
  )
}
