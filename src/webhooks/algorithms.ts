import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { KeyObject, SigningOptions } from 'node:crypto'
import { decodeStrictly } from './encoding.ts'
import type { KeyFormat, SignatureAlgorithm } from './scheme.ts'

/** DER before the 32 bytes of an Ed25519 public key and before those of a seed (RFC 8410 §4 and §7). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex')
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

interface Descriptor {
  /** Length of a signature in bytes, where it is fixed. */
  readonly length?: number
  readonly check: (key: KeyObject, message: Buffer, signature: Buffer) => boolean
  readonly make: (key: KeyObject, message: Buffer) => Buffer
}

const digests: Readonly<Record<'hmac-sha256' | 'hmac-sha1' | 'hmac-sha512', string>> = {
  'hmac-sha256': 'sha256',
  'hmac-sha1': 'sha1',
  'hmac-sha512': 'sha512',
}

export const algorithms: Readonly<Record<SignatureAlgorithm, Descriptor>> = {
  'hmac-sha256': recomputed(32, (key, message) => hmac(digests['hmac-sha256'], key, message)),
  'hmac-sha1': recomputed(20, (key, message) => hmac(digests['hmac-sha1'], key, message)),
  'hmac-sha512': recomputed(64, (key, message) => hmac(digests['hmac-sha512'], key, message)),
  // The secret is part of the message (HubSpot v1 and v2).
  sha256: recomputed(32, (_key, message) => hash('sha256', message, 'buffer')),
  'rsa-sha256': asymmetric('sha256', (key) => key.asymmetricKeyType === 'rsa'),
  'rsa-pss-sha512': asymmetric('sha512', isRsa, {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 64,
  }),
  'ecdsa-sha256': asymmetric('sha256', isP256),
  // The two numbers one behind the other instead of in DER (RFC 7518 §3.4, RFC 9421 §3.3.4).
  'ecdsa-sha256-raw': {
    ...asymmetric('sha256', isP256, { dsaEncoding: 'ieee-p1363' }),
    length: 64,
  },
  ed25519: { ...asymmetric(null, (key) => key.asymmetricKeyType === 'ed25519'), length: 64 },
}

/** Compares the hashes, so neither the lengths nor the place of the difference shows in the time. */
export function equalInConstantTime(one: string, other: string): boolean {
  const hashOf = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(hashOf(one), hashOf(other))
}

/** The key in a secret of the registration; undefined when it cannot be one, and then nothing matches it. */
export function keyOf(secret: string, format: KeyFormat): KeyObject | undefined {
  const text = withoutPrefix(secret, format.prefix)
  if (text === '') return undefined
  switch (format.encoding) {
    case 'utf8':
      return createSecretKey(text, 'utf8')
    case 'hex':
      return material(decodeStrictly(text, 'hex-any-case'))
    case 'base64':
      return material(looseBase64(text))
    case 'public-key':
      return publicKey(text)
  }
}

/** The signing side of `keyOf`: shared secrets as they are, else a private key in PEM or an Ed25519 `seed‖public`. */
export function signingKeyOf(secret: string, format: KeyFormat): KeyObject | undefined {
  if (format.encoding !== 'public-key') return keyOf(secret, format)
  return attempt(() => {
    if (secret.startsWith('-----BEGIN')) return createPrivateKey(secret)
    const seed = looseBase64(secret.replace(/^whsk_/, ''))?.subarray(0, 32)
    if (seed?.length !== 32) return undefined
    const der = Buffer.concat([ED25519_PKCS8, seed])
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  })
}

function recomputed(length: number, make: (key: KeyObject, message: Buffer) => Buffer): Descriptor {
  return {
    length,
    make,
    check: (key, message, signature) =>
      signature.length === length && timingSafeEqual(make(key, message), signature),
  }
}

function asymmetric(
  digest: string | null,
  fits: (key: KeyObject) => boolean,
  options: SigningOptions = {},
): Descriptor {
  return {
    check: (key, message, signature) =>
      fits(key) &&
      (attempt(() => verify(digest, message, { ...options, key }, signature)) ?? false),
    make: (key, message) => sign(digest, message, { ...options, key }),
  }
}

function hmac(digest: string, key: KeyObject, message: Buffer): Buffer {
  return createHmac(digest, key).update(message).digest()
}

function isRsa(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss'
}

function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
}

function publicKey(text: string): KeyObject | undefined {
  return attempt(() => {
    if (text.startsWith('-----BEGIN')) return createPublicKey(text)
    const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : looseBase64(text)
    if (bytes === undefined) return undefined
    const der = bytes.length === 32 ? Buffer.concat([ED25519_SPKI, bytes]) : bytes
    return createPublicKey({ key: der, format: 'der', type: 'spki' })
  })
}

/** Keys are configuration, typed in by people: padding may lack and either alphabet will do. */
function looseBase64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function material(bytes: Buffer | undefined): KeyObject | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : createSecretKey(bytes)
}

function withoutPrefix(secret: string, prefix: string | undefined): string {
  return prefix !== undefined && secret.startsWith(prefix) ? secret.slice(prefix.length) : secret
}

/** OpenSSL throws on keys and signatures that it cannot read; for us that is "does not match". */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
