import { z } from 'zod'
import { parseJson } from './json.ts'

/** Ends every frame of the JSON hub protocol (aspnetcore, docs/specs/HubProtocol.md). */
const RECORD_SEPARATOR = '\u001e'

export type HandshakeVerdict = { readonly answer: string; readonly accepted: boolean }

const handshakeShape = z.object({ protocol: z.string(), version: z.number() })
const frameShape = z.object({ type: z.int() })

/** Message types of the hub protocol that a client of a serverless hub may send: completion, ping, close. */
const HARMLESS = new Set([3, 6, 7])

/** The frames in one WebSocket message. */
export function splitFrames(message: string): readonly string[] {
  return message.split(RECORD_SEPARATOR).filter((frame) => frame !== '')
}

/** Answers the first frame of a connection, which names protocol and version. */
export function shakeHands(frame: string): HandshakeVerdict {
  const request = handshakeShape.safeParse(parseJson(frame)).data
  if (!request) return refuse('the first message has to be a handshake request')
  if (request.protocol !== 'json')
    return refuse(`the protocol '${request.protocol}' is not supported here, use 'json'`)
  if (request.version > 2) return refuse(`the version ${request.version} is not supported`)
  return { accepted: true, answer: encode({}) }
}

/** Why a client's frame ends its connection; `undefined` when it does not. */
export function objectionTo(frame: string): string | undefined {
  const message = frameShape.safeParse(parseJson(frame)).data
  if (!message) return 'the message is not one of the JSON hub protocol'
  if (HARMLESS.has(message.type)) return undefined
  return 'in serverless mode clients only listen: a client that sends a message is disconnected'
}

export const PING = encode({ type: 6 })

export function invocation(target: string, args: readonly unknown[]): string {
  return encode({ type: 1, target, arguments: args })
}

/** A stock client with automatic reconnect comes back only when it is allowed to. */
export function closing(error: string | undefined, allowReconnect: boolean): string {
  return encode({
    type: 7,
    ...(error ? { error } : {}),
    ...(allowReconnect ? { allowReconnect } : {}),
  })
}

function refuse(error: string): HandshakeVerdict {
  return { accepted: false, answer: encode({ error }) }
}

function encode(message: object): string {
  return JSON.stringify(message) + RECORD_SEPARATOR
}
