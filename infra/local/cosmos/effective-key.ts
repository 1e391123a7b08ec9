import type { KeyComponent, PartitionKey, PartitionKeyDefinition } from './partition-key.ts'

const TYPE_BYTE = {
  undefined: 0x00,
  null: 0x01,
  false: 0x02,
  true: 0x03,
  number: 0x05,
  string: 0x08,
}
const STRING_END = 0xff

/**
 * The place of a partition key in the range '' to 'FF', as clients compute it (hash version 2): MurmurHash3 x64 128 of
 * the encoded key, byte-reversed, the two highest bits cleared, in hex. The levels of a hierarchical key are hashed one
 * by one, so a prefix of the key is a prefix of its place.
 */
export function effectiveKey(key: PartitionKey, { kind }: PartitionKeyDefinition): string {
  if (kind === 'Hash') return hashed(key)
  return key.map((component) => hashed([component])).join('')
}

function hashed(components: PartitionKey): string {
  const digest = Buffer.from(murmur128(Buffer.concat(components.map(encode))).toReversed())
  digest[0] = (digest[0] ?? 0) & 0x3f
  return digest.toString('hex').toUpperCase()
}

function encode(component: KeyComponent): Buffer {
  if (typeof component === 'string') {
    const text = Buffer.from(component)
    return Buffer.concat([Buffer.of(TYPE_BYTE.string), text, Buffer.of(STRING_END)])
  }
  if (typeof component === 'number') {
    const bytes = Buffer.alloc(9, TYPE_BYTE.number)
    bytes.writeDoubleLE(component, 1)
    return bytes
  }
  if (typeof component === 'boolean') return Buffer.of(component ? TYPE_BYTE.true : TYPE_BYTE.false)
  return Buffer.of(component === null ? TYPE_BYTE.null : TYPE_BYTE.undefined)
}

const MASK = 0xffff_ffff_ffff_ffffn
const C1 = 0x87c3_7b91_1142_53d5n
const C2 = 0x4cf5_ad43_2745_937fn
const BLOCK = 16

/** MurmurHash3_x64_128 with seed 0 (Austin Appleby, public domain); the two halves little-endian. */
function murmur128(data: Buffer): Buffer {
  let [h1, h2] = [0n, 0n]
  const tailStart = data.length - (data.length % BLOCK)
  for (let offset = 0; offset < tailStart; offset += BLOCK) {
    h1 ^= mixFirst(data.readBigUInt64LE(offset))
    h1 = (((rotate(h1, 27n) + h2) & MASK) * 5n + 0x52dc_e729n) & MASK
    h2 ^= mixSecond(data.readBigUInt64LE(offset + 8))
    h2 = (((rotate(h2, 31n) + h1) & MASK) * 5n + 0x3849_5ab5n) & MASK
  }
  const tail = Buffer.alloc(BLOCK)
  data.copy(tail, 0, tailStart)
  h1 ^= mixFirst(tail.readBigUInt64LE(0))
  h2 ^= mixSecond(tail.readBigUInt64LE(8))
  const length = BigInt(data.length)
  h1 ^= length
  h2 ^= length
  h1 = (h1 + h2) & MASK
  h2 = (h2 + h1) & MASK
  h1 = finish(h1)
  h2 = finish(h2)
  h1 = (h1 + h2) & MASK
  h2 = (h2 + h1) & MASK
  const digest = Buffer.alloc(BLOCK)
  digest.writeBigUInt64LE(h1, 0)
  digest.writeBigUInt64LE(h2, 8)
  return digest
}

/** A zero block mixes to zero, so an empty tail changes nothing. */
function mixFirst(block: bigint): bigint {
  return (rotate((block * C1) & MASK, 31n) * C2) & MASK
}

function mixSecond(block: bigint): bigint {
  return (rotate((block * C2) & MASK, 33n) * C1) & MASK
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK
}

function finish(value: bigint): bigint {
  let mixed = value ^ (value >> 33n)
  mixed = (mixed * 0xff51_afd7_ed55_8ccdn) & MASK
  mixed ^= mixed >> 33n
  mixed = (mixed * 0xc4ce_b9fe_1a85_ec53n) & MASK
  return mixed ^ (mixed >> 33n)
}
