/** A lock token as a delivery tag: 16 bytes in the order of a .NET Guid, whose first three fields are little-endian. */
export function tagFromToken(token: string): Buffer {
  return swapped(Buffer.from(token.replaceAll('-', ''), 'hex'))
}

export function tokenFromTag(tag: Buffer): string {
  return tokenFromUuid(swapped(Buffer.from(tag)))
}

/** A lock token as an AMQP uuid: 16 bytes in the order of its text. */
export function tokenFromUuid(uuid: Buffer): string {
  const hex = uuid.toString('hex')
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join('-')
}

export function uuidFromToken(token: string): Buffer {
  return Buffer.from(token.replaceAll('-', ''), 'hex')
}

function swapped(bytes: Buffer): Buffer {
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).swap16()
  bytes.subarray(6, 8).swap16()
  return bytes
}

const TICKS_PER_MS = 10_000n
const EPOCH_TICKS = 621_355_968_000_000_000n

/** .NET ticks (100 ns since the year 1) of an instant in milliseconds, as the eight bytes of an AMQP long. */
export function ticks(ms: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(BigInt(Math.round(ms)) * TICKS_PER_MS + EPOCH_TICKS)
  return bytes
}
