/** AMQP 1.0 type system (OASIS AMQP 1.0 part 1) on raw bytes: enough to cut messages up and to write broker fields. */

const DESCRIBED = 0x00
const EMPTY_LIST = 0x45

/** Offset behind the encoded value that begins at `at`. Throws RangeError for what is no AMQP value. */
export function valueEnd(buffer: Buffer, at: number): number {
  const code = buffer.readUInt8(at)
  if (code === DESCRIBED) return valueEnd(buffer, valueEnd(buffer, at + 1))
  const end = at + 1 + contentLength(buffer, code, at + 1)
  if (end > buffer.length) throw new RangeError(`an AMQP value ends at ${end} of ${buffer.length}`)
  return end
}

/** The high four bits of a format code tell how long the value is (AMQP 1.0 part 1, 1.2). */
function contentLength(buffer: Buffer, code: number, at: number): number {
  const width = FIXED_WIDTHS.get(code >>> 4)
  if (width !== undefined) return width
  switch (code >>> 4) {
    case 0xa:
    case 0xc:
    case 0xe:
      return 1 + buffer.readUInt8(at)
    case 0xb:
    case 0xd:
    case 0xf:
      return 4 + buffer.readUInt32BE(at)
    default:
      throw new RangeError(`0x${code.toString(16)} is no AMQP format code`)
  }
}

const FIXED_WIDTHS: ReadonlyMap<number, number> = new Map([
  [0x4, 0],
  [0x5, 1],
  [0x6, 2],
  [0x7, 4],
  [0x8, 8],
  [0x9, 16],
])

/** The encoded elements of a list or map; keys and values of a map alternate. */
export function elements(buffer: Buffer, at: number): Buffer[] {
  const code = buffer.readUInt8(at)
  if (code === EMPTY_LIST) return []
  const [start, count] =
    code === 0xc0 || code === 0xc1
      ? [at + 3, buffer.readUInt8(at + 2)]
      : code === 0xd0 || code === 0xd1
        ? [at + 9, buffer.readUInt32BE(at + 5)]
        : [0, -1]
  if (count < 0) throw new RangeError(`0x${code.toString(16)} is neither a list nor a map`)
  const found: Buffer[] = []
  for (let from = start; found.length < count;) {
    const to = valueEnd(buffer, from)
    found.push(buffer.subarray(from, to))
    from = to
  }
  return found
}

/** The text of an encoded string or symbol; undefined for any other type. */
export function text(value: Buffer | undefined): string | undefined {
  if (value === undefined || value.length === 0) return undefined
  switch (value.readUInt8(0)) {
    case 0xa1:
    case 0xa3:
      return value.toString('utf8', 2)
    case 0xb1:
    case 0xb3:
      return value.toString('utf8', 5)
    default:
      return undefined
  }
}

/** The number in an encoded uint, ulong, long or timestamp; undefined for any other type. */
export function integer(value: Buffer | undefined): number | undefined {
  if (value === undefined || value.length === 0) return undefined
  switch (value.readUInt8(0)) {
    case 0x43:
    case 0x44:
      return 0
    case 0x52:
    case 0x53:
      return value.readUInt8(1)
    case 0x70:
      return value.readUInt32BE(1)
    case 0x54:
    case 0x55:
      return value.readInt8(1)
    case 0x71:
      return value.readInt32BE(1)
    case 0x80:
      return Number(value.readBigUInt64BE(1))
    case 0x81:
    case 0x83:
      return Number(value.readBigInt64BE(1))
    default:
      return undefined
  }
}

export const NULL = Buffer.from([0x40])

export function uint(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(5)
  bytes[0] = 0x70
  bytes.writeUInt32BE(value, 1)
  return bytes
}

export function int(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(5)
  bytes[0] = 0x71
  bytes.writeInt32BE(value, 1)
  return bytes
}

export function long(value: number): Buffer {
  return eightBytes(0x81, value)
}

/** `value` in milliseconds since the epoch. */
export function timestamp(value: number): Buffer {
  return eightBytes(0x83, value)
}

function eightBytes(code: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(9)
  bytes[0] = code
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), 1)
  bytes.writeUInt32BE(value % 2 ** 32, 5)
  return bytes
}

export function string(value: string): Buffer {
  return variable({ short: 0xa1, long: 0xb1 }, value)
}

export function symbol(value: string): Buffer {
  return variable({ short: 0xa3, long: 0xb3 }, value)
}

function variable(codes: { readonly short: number; readonly long: number }, value: string): Buffer {
  const content = Buffer.from(value)
  if (content.length < 256) {
    return Buffer.concat([Buffer.from([codes.short, content.length]), content])
  }
  const head = Buffer.allocUnsafe(5)
  head[0] = codes.long
  head.writeUInt32BE(content.length, 1)
  return Buffer.concat([head, content])
}

/** A section (AMQP 1.0 part 3, 3.2) that is a list or a map of encoded elements. */
export function section(
  descriptor: number,
  kind: 'list' | 'map',
  encoded: readonly Buffer[],
): Buffer {
  return sectionOf({ descriptor, kind, count: encoded.length }, encoded)
}

/** The same where the parts hold more than one element each. */
export function sectionOf(
  what: { readonly descriptor: number; readonly kind: 'list' | 'map'; readonly count: number },
  parts: readonly Buffer[],
): Buffer {
  const head = Buffer.allocUnsafe(12)
  let length = 4
  for (const part of parts) length += part.length
  head[0] = DESCRIBED
  head[1] = 0x53
  head[2] = what.descriptor
  head[3] = what.kind === 'list' ? 0xd0 : 0xd1
  head.writeUInt32BE(length, 4)
  head.writeUInt32BE(what.count, 8)
  return Buffer.concat([head, ...parts], 8 + length)
}
