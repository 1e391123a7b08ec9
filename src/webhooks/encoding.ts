import type { Encoding } from './scheme.ts'

/** Longer than any signature: an RSA key of 8192 bits signs in 2048 hex digits. */
const MAX_ENCODED_LENGTH = 2_048

const patterns: Readonly<Record<Encoding, RegExp>> = {
  hex: /^(?:[0-9a-f]{2})+$/,
  'hex-any-case': /^(?:[0-9a-fA-F]{2})+$/,
  base64: /^[A-Za-z0-9+/]+={0,2}$/,
  base64url: /^[A-Za-z0-9_-]+$/,
}

/**
 * The bytes of a text in exactly this encoding; undefined for anything that only a lenient decoder would take. Node
 * decodes `AA==` and `AB==` to the same byte and stops silently at a bad hex digit, so two texts could be one signature.
 */
export function decodeStrictly(text: string, encoding: Encoding): Buffer | undefined {
  if (text.length > MAX_ENCODED_LENGTH || !patterns[encoding].test(text)) return undefined
  const bytes = Buffer.from(text, nodeEncoding(encoding))
  if (encoding === 'hex-any-case') return bytes
  return encode(bytes, encoding) === text ? bytes : undefined
}

export function encode(bytes: Uint8Array, encoding: Encoding): string {
  return Buffer.from(bytes).toString(nodeEncoding(encoding))
}

function nodeEncoding(encoding: Encoding): 'hex' | 'base64' | 'base64url' {
  return encoding === 'hex-any-case' ? 'hex' : encoding
}
