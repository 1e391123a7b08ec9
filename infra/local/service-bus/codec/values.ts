import { elements, NULL, string, valueEnd } from './bytes.ts'

/** Readers and writers for the bodies of requests and replies; every value is an encoded AMQP value. */

/** Entries of an encoded map with text keys. */
export function readMap(map: Buffer | undefined): ReadonlyMap<string, Buffer> {
  const entries = new Map<string, Buffer>()
  if (!map || isNull(map)) return entries
  const pairs = elements(map, 0)
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const [key, value] = [pairs[index], pairs[index + 1]]
    if (key && value) entries.set(textOf(key), value)
  }
  return entries
}

function textOf(key: Buffer): string {
  const wide = key[0] === 0xb1 || key[0] === 0xb3
  return key.toString('utf8', wide ? 5 : 2)
}

/** Elements of an encoded list or array, each encoded by itself. */
export function readSequence(value: Buffer | undefined): Buffer[] {
  if (!value || isNull(value)) return []
  const wide = value[0] === 0xf0
  if (!wide && value[0] !== 0xe0) return elements(value, 0)
  const count = wide ? value.readUInt32BE(5) : value.readUInt8(2)
  const constructorAt = wide ? 9 : 3
  const constructor = value.subarray(constructorAt, constructorAt + 1)
  const found: Buffer[] = []
  for (let from = constructorAt + 1; found.length < count;) {
    const item = Buffer.concat([constructor, value.subarray(from)])
    const end = valueEnd(item, 0)
    found.push(item.subarray(0, end))
    from += end - 1
  }
  return found
}

/** Bytes of an encoded binary; undefined for any other type. */
export function readBinary(value: Buffer | undefined): Buffer | undefined {
  if (value?.[0] === 0xa0) return value.subarray(2)
  return value?.[0] === 0xb0 ? value.subarray(5) : undefined
}

/** The sixteen bytes of an encoded uuid; undefined for any other type. */
export function readUuid(value: Buffer | undefined): Buffer | undefined {
  return value?.[0] === 0x98 ? value.subarray(1) : undefined
}

export function isTrue(value: Buffer | undefined): boolean {
  return value?.[0] === 0x41 || (value?.[0] === 0x56 && value[1] === 1)
}

export function isNull(value: Buffer): boolean {
  return value[0] === NULL[0]
}

export function binary(content: Buffer): Buffer {
  return Buffer.concat([head(0xb0, content.length), content])
}

export function uuid(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x98]), bytes])
}

export function map(entries: Readonly<Record<string, Buffer>>): Buffer {
  const encoded = Object.entries(entries).flatMap(([key, value]) => [string(key), value])
  return compound(0xd1, encoded)
}

export function list(items: readonly Buffer[]): Buffer {
  return compound(0xd0, items)
}

/** An array of items of one fixed or variable type, all encoded with the same format code. */
export function array(formatCode: number, items: readonly Buffer[]): Buffer {
  const content = items.map((item) => item.subarray(1))
  const body = Buffer.concat([countOf(items), Buffer.from([formatCode]), ...content])
  return Buffer.concat([head(0xf0, body.length), body])
}

function compound(code: number, items: readonly Buffer[]): Buffer {
  const body = Buffer.concat([countOf(items), ...items])
  return Buffer.concat([head(code, body.length), body])
}

function countOf(items: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(items.length)
  return bytes
}

function head(code: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(5)
  bytes[0] = code
  bytes.writeUInt32BE(length, 1)
  return bytes
}
