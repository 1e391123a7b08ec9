import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Headers } from './events/meaning.ts'
import { parseForm } from './places.ts'

export type Content =
  | { readonly kind: 'content'; readonly body: unknown }
  | { readonly kind: 'unreadable'; readonly reason: string }

const decoders: ReadonlyMap<string, (bytes: Uint8Array, limit: number) => Buffer> = new Map([
  ['gzip', (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength })],
  ['x-gzip', (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength })],
  ['deflate', (bytes, maxOutputLength) => inflateSync(bytes, { maxOutputLength })],
  ['br', (bytes, maxOutputLength) => brotliDecompressSync(bytes, { maxOutputLength })],
])

/**
 * What a verified body says: JSON, the fields of a form, or text; undefined when it is empty. Never throws: what cannot be
 * read, or grows beyond `limit` bytes when unpacked, is said to be so.
 */
export function contentOf(headers: Headers, rawBody: Uint8Array, limit: number): Content {
  const bytes = unpacked(headers['content-encoding'], rawBody, limit)
  if (bytes === undefined) return unreadable('the content encoding cannot be undone')
  if (bytes.length === 0) return { kind: 'content', body: undefined }
  const text = decodeUtf8(bytes)
  if (text === undefined) return unreadable('the body is not UTF-8')
  const type = (headers['content-type'] ?? '').toLowerCase()
  if (type.startsWith('application/x-www-form-urlencoded')) return formOf(text)
  if (/[/+]xml\b/.test(type) || text.startsWith('<')) return { kind: 'content', body: text }
  return jsonOf(text)
}

function unpacked(
  encoding: string | undefined,
  rawBody: Uint8Array,
  limit: number,
): Uint8Array | undefined {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return rawBody
  try {
    return decoders.get(name)?.(rawBody, limit)
  } catch {
    return undefined
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** GitHub and Slack put JSON into a field `payload`. */
function formOf(text: string): Content {
  const fields = parseForm(text)
  const payload = fields.get('payload')
  return payload === null ? { kind: 'content', body: Object.fromEntries(fields) } : jsonOf(payload)
}

function jsonOf(text: string): Content {
  try {
    return { kind: 'content', body: JSON.parse(text) }
  } catch {
    return unreadable('the body is not JSON')
  }
}

function unreadable(reason: string): Content {
  return { kind: 'unreadable', reason }
}
