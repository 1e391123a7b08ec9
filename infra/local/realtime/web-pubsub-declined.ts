import { z } from 'zod'
import { parseJson } from './json.ts'

const invocation = z.object({ type: z.literal('invoke'), invocationId: z.string() })
const stream = z.union([
  z.object({ type: z.enum(['streamData', 'streamEnd']), streamId: z.string() }),
  z
    .object({ type: z.literal('sendToGroup'), stream: z.object({ streamId: z.string() }) })
    .transform(({ stream }) => stream),
])
const groupState = z.object({
  type: z.enum(['setGroupState', 'subscribeGroupState', 'unsubscribeGroupState']),
  ackId: z.int(),
})

/**
 * The answer to a request that the subprotocol knows and this emulator does not do: invocations need an upstream;
 * streams and group state are missing. A client learns it at once instead of waiting or being cut off.
 */
export function decline(frame: string): string | undefined {
  const request = parseJson(frame)
  const error = { name: 'NotSupported', message: 'the local Web PubSub does not do this' }
  const invoked = invocation.safeParse(request).data
  if (invoked) {
    const { invocationId } = invoked
    return JSON.stringify({ type: 'invokeResponse', invocationId, success: false, error })
  }
  const streamed = stream.safeParse(request).data
  if (streamed) return JSON.stringify({ type: 'streamClosed', streamId: streamed.streamId, error })
  const state = groupState.safeParse(request).data
  return state && JSON.stringify({ type: 'ack', ackId: state.ackId, success: false, error })
}
