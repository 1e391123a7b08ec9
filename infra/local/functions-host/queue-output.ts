import type { HostedFunction, QueueOutput } from './functions.ts'
import type { InvocationResponse, TypedData } from './rpc.ts'

/** A message that a binding sends; bindings can set nothing but body and content type. */
export interface OutgoingMessage {
  readonly body: Buffer
  readonly contentType: string
}

export interface QueueWrite {
  readonly output: QueueOutput
  readonly messages: readonly OutgoingMessage[]
}

/** What the response of an invocation sends through its queue outputs; an array is one message for each element. */
export function queueWrites(
  { outputs }: HostedFunction,
  response: InvocationResponse,
): readonly QueueWrite[] {
  return outputs.flatMap((output) => {
    const data =
      output.bindingName === '$return'
        ? response.returnValue
        : response.outputData?.find(({ name }) => name === output.bindingName)?.data
    const messages = toMessages(data)
    return messages.length > 0 ? [{ output, messages }] : []
  })
}

const TEXT = 'text/plain'

function toMessages(data: TypedData | null | undefined): readonly OutgoingMessage[] {
  if (!data) return []
  if (data.bytes)
    return [{ body: Buffer.from(data.bytes), contentType: 'application/octet-stream' }]
  if (data.json === undefined) return [textMessage(data.string ?? data.int ?? data.double ?? '')]
  const value: unknown = JSON.parse(data.json)
  const elements: readonly unknown[] = Array.isArray(value) ? value : [value]
  return elements
    .filter((element) => element !== null)
    .map((element) => textMessage(typeof element === 'string' ? element : JSON.stringify(element)))
}

function textMessage(text: string | number): OutgoingMessage {
  return { body: Buffer.from(String(text)), contentType: TEXT }
}
