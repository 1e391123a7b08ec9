import { elements, int, NULL, section, string, symbol, text, valueEnd } from './bytes.ts'
import { readMap } from './values.ts'

/** A request to `$cbs` or `$management`: an AMQP message whose body is one value. */
export interface Request {
  /** Encoded; the reply carries it as its correlation id. */
  readonly messageId: Buffer
  readonly replyTo: string | undefined
  readonly operation: string
  /** Encoded application properties by name. */
  readonly properties: ReadonlyMap<string, Buffer>
  /** Encoded; null when there is none. */
  readonly body: Buffer
}

export interface Reply {
  readonly status: number
  readonly description?: string
  /** The AMQP error condition of a failure. */
  readonly condition?: string
  readonly body?: Buffer
}

/** Throws RangeError when the bytes are no AMQP message. */
export function parseRequest(bytes: Buffer): Request {
  const found = new Map<number, Buffer>()
  for (let from = 0; from < bytes.length;) {
    const valueAt = valueEnd(bytes, from + 1)
    const to = valueEnd(bytes, valueAt)
    found.set(bytes.readUInt8(valueAt - 1), bytes.subarray(valueAt, to))
    from = to
  }
  const fields = found.get(0x73)
  const [messageId = NULL, , , , replyTo] = fields ? elements(fields, 0) : []
  const properties = readMap(found.get(0x74))
  return {
    messageId,
    replyTo: text(replyTo),
    operation: text(properties.get('operation')) ?? '',
    properties,
    body: found.get(0x77) ?? NULL,
  }
}

/** `$cbs` spells `status-code`, `$management` spells `statusCode` (Azure, "AMQP request/response operations"). */
export function encodeReply(request: Request, reply: Reply, spelling: 'kebab' | 'camel'): Buffer {
  const [code, description, condition] =
    spelling === 'kebab'
      ? ['status-code', 'status-description', 'error-condition']
      : ['statusCode', 'statusDescription', 'errorCondition']
  const properties = [
    string(code),
    int(reply.status),
    string(description),
    string(reply.description ?? (reply.status < 300 ? 'OK' : 'Failed')),
    ...(reply.condition === undefined ? [] : [string(condition), symbol(reply.condition)]),
  ]
  return Buffer.concat([
    section(0x73, 'list', [NULL, NULL, NULL, NULL, NULL, request.messageId]),
    section(0x74, 'map', properties),
    Buffer.from([0x00, 0x53, 0x77]),
    reply.body ?? NULL,
  ])
}
