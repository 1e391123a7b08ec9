import type { EventContext, link as Link, Receiver, Sender } from 'rhea'
import type { Channel } from '../broker.ts'
import { text } from '../codec/bytes.ts'
import { encodeReply, parseRequest, type Reply, type Request } from '../codec/request.ts'
import { entityPath, verifySignature } from '../sas.ts'
import { CONDITIONS, entityNotFound, failed, refusal } from './conditions.ts'
import type { ServerContext } from './context.ts'
import { manage } from './management.ts'
import { setAttach } from './rhea-internals.ts'

/** A node that answers requests. */
interface Node {
  readonly spelling: 'kebab' | 'camel'
  readonly operation: (request: Request) => string
  readonly answer: (request: Request, receiver: Receiver) => Reply
}

/** The link on which replies go out. It shares an AMQP session with the link of the requests. */
export function openReplies(context: ServerContext, sender: Sender): void {
  const { replies } = context.client(sender.connection)
  const links = replies.get(sender.session) ?? new Set()
  replies.set(sender.session, links.add(sender))
  sender.once('sender_close', () => links.delete(sender))
  sender.set_source({ address: sender.source.address })
  sender.set_target({ address: sender.target?.address })
  // Settled replies need no answer, which Nagle's algorithm and a delayed ACK would hold up for 40 ms.
  setAttach(sender, { snd_settle_mode: 1 })
  sender.open()
}

/** `$cbs`: takes the tokens that entitle a connection to entities. */
export function openTokens(context: ServerContext, receiver: Receiver): void {
  serve(context, receiver, {
    spelling: 'kebab',
    operation: () => 'put-token',
    answer: (request) => putToken(context, receiver, request),
  })
}

/** `<entity>/$management`. */
export function openManagement(context: ServerContext, receiver: Receiver, channel: Channel): void {
  serve(context, receiver, {
    spelling: 'camel',
    operation: ({ operation }) => `${operation.replace('com.microsoft:', '')} ${channel.path}`,
    answer: (request) => {
      const { hostname } = receiver.connection
      if (channel.entity.deleted) return failed(entityNotFound(hostname, channel.path))
      return manage({ context, channel, request })
    },
  })
}

function serve(context: ServerContext, receiver: Receiver, node: Node): void {
  receiver.set_target({ address: receiver.target.address })
  receiver.open()
  receiver.on('message', ({ delivery, message }: EventContext) => {
    if (!delivery || !Buffer.isBuffer(message)) return
    delivery.accept()
    const request = parse(message)
    if (!request) return
    const reply = (answer: Reply) => {
      const link = replyLink(context, receiver, request)
      link?.send(encodeReply(request, answer, node.spelling), undefined, 0)
    }
    context.calls.enter({
      operation: node.operation(request),
      connection: receiver.connection,
      refuse: (error) => reply(failed(error)),
      work: () => {
        const answer = attempt(() => node.answer(request, receiver))
        return () => reply(answer)
      },
    })
  })
}

function parse(bytes: Buffer): Request | undefined {
  try {
    return parseRequest(bytes)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function attempt(answer: () => Reply): Reply {
  try {
    return answer()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return failed(refusal(CONDITIONS.decode, `The request is malformed: ${error.message}`))
  }
}

/** By reply address if the client gave one that fits, else the reply link of the same node in this session. */
function replyLink(
  context: ServerContext,
  receiver: Receiver,
  { replyTo }: Request,
): Sender | undefined {
  const links = [...(context.client(receiver.connection).replies.get(receiver.session) ?? [])]
  const named = links.find(
    ({ name, target }) =>
      replyTo !== undefined && (name === replyTo || target?.address === replyTo),
  )
  const node = receiver.target.address
  const link = named ?? links.find(({ source }) => source.address === node)
  return link && isSender(link) ? link : undefined
}

function isSender(link: Link): link is Sender {
  return link.is_sender()
}

function putToken(context: ServerContext, receiver: Receiver, request: Request): Reply {
  const audience = text(request.properties.get('name')) ?? ''
  const path = entityPath(audience).toLowerCase()
  const resource = verifySignature(text(request.body) ?? '', context.sharedKey, Date.now())
  const granted = resource === undefined ? undefined : entityPath(resource)
  if (granted === undefined || !(granted === '' || `${path}/`.startsWith(`${granted}/`))) {
    return failed(
      refusal(
        CONDITIONS.unauthorized,
        `InvalidSignature: the token for '${audience}' is not valid.`,
      ),
    )
  }
  context.client(receiver.connection).entitled.add(path)
  return { status: 202, description: 'Accepted' }
}
