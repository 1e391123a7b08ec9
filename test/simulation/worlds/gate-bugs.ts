import { createHmac } from 'node:crypto'
import type { Collection, Document, Write } from '../../../src/core/collection.ts'
import type { IncomingWebhook } from '../../../src/webhooks/call.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import { replayToken } from '../../../src/webhooks/replay.ts'
import { openWebhookReceiver, type WebhookReceiver } from '../../../src/webhooks/receive.ts'
import { FLOOD_PER_MINUTE, houses } from './gate-houses.ts'
import { LEAVE_SECRET } from './gate-senders.ts'

type Receive = WebhookReceiver['receive']

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface GateBug {
  readonly what: string
  readonly ports?: (ports: WebhookPorts) => WebhookPorts
  readonly receive?: (receive: Receive, ports: WebhookPorts) => Receive
}

const stored = { committed: true, etags: [''] } as const

function writing<T extends Document>(
  collection: Collection<T>,
  change: (document: T) => T | undefined,
): Collection<T> {
  return {
    ...collection,
    write: async (partition, writes) => {
      const changed = writes.flatMap((one): Write<T>[] => {
        const document = change(one.document)
        return document ? [{ ...one, document }] : []
      })
      return changed.length === 0 ? stored : collection.write(partition, changed)
    },
  }
}

/** Something else of the call is believed. */
const taking =
  (change: (incoming: IncomingWebhook) => IncomingWebhook): NonNullable<GateBug['receive']> =>
  (receive) =>
  (incoming) =>
    receive(change(incoming))

const rewritten = (bytes: Uint8Array): Buffer => {
  const text = Buffer.from(bytes).toString('utf8')
  try {
    return Buffer.from(JSON.stringify(JSON.parse(text)))
  } catch {
    return Buffer.from(text)
  }
}

const signatureHeader = /signature/
const challengeOf = ({ target }: IncomingWebhook) =>
  new URL(target, 'https://a.example').searchParams.get('validationToken')

export const gateBugs: Readonly<Record<string, GateBug>> = {
  'parsed-bytes': {
    what: 'the signature is verified over the body as it was read and written again',
    receive: taking((incoming) => ({
      ...incoming,
      readBody: async (limit) => rewritten(await incoming.readBody(limit)),
    })),
  },
  'kept-as-text': {
    what: 'what is kept of a body is its text, not its bytes',
    ports: (ports) => ({
      ...ports,
      deliveries: writing(ports.deliveries, (document) => {
        const { body } = document
        if (body?.at !== 'document') return document
        const text = Buffer.from(body.base64, 'base64').toString('utf8')
        return { ...document, body: { ...body, base64: Buffer.from(text).toString('base64') } }
      }),
    }),
  },
  'throws-on-length': {
    what: 'signatures of another length are compared by a function that throws',
    receive: (receive) => async (incoming) => {
      const [, value = ''] =
        Object.entries(incoming.headers).find(([name]) => signatureHeader.test(name)) ?? []
      if (value !== '' && value.length < 20) throw new RangeError('must have the same length')
      return receive(incoming)
    },
  },
  'case-blind': {
    what: 'a signature in upper case is taken for the one in lower case',
    receive: taking((incoming) => {
      const value = incoming.headers['x-hub-signature-256']
      const headers = { ...incoming.headers, 'x-hub-signature-256': value?.toLowerCase() }
      return value === undefined ? incoming : { ...incoming, headers }
    }),
  },
  'first-of-two': {
    what: 'of a header that came twice the first value is believed',
    receive: taking((incoming) => {
      const headers = Object.entries(incoming.headers).map(
        ([name, value]) =>
          [name, signatureHeader.test(name) ? value?.split(', ')[0] : value] as const,
      )
      return { ...incoming, headers: Object.fromEntries(headers) }
    }),
  },
  'stamp-unread': {
    what: 'nobody looks how old a stamp is',
    receive: (_receive, ports) => async (incoming) => {
      const stamp = Number(incoming.headers['x-snow-timestamp']) * 1_000
      const clock = () => (stamp > 0 ? new Date(stamp) : ports.clock())
      return openWebhookReceiver({ ...ports, clock }).receive(incoming)
    },
  },
  'leave-for-all': {
    what: 'an operator’s leave is not bound to one body',
    receive: (receive, ports) => async (incoming) => {
      if (incoming.headers['x-syncline-replay'] === undefined) return receive(incoming)
      const body = await incoming.readBody(1_000_000)
      const leave = replayToken(LEAVE_SECRET, body, new Date(ports.clock().getTime() + 60_000))
      const headers = { ...incoming.headers, 'x-syncline-replay': leave }
      return receive({ ...incoming, headers, readBody: async () => body })
    },
  },
  'leave-untold': {
    what: 'a record does not say that an operator let its delivery in',
    ports: (ports) => ({
      ...ports,
      deliveries: writing(ports.deliveries, ({ replay: _replay, ...rest }) => rest),
    }),
  },
  'revoked-lives-on': {
    what: 'a secret that was revoked is still accepted',
    ports: (ports) => ({
      ...ports,
      vault: { ...ports.vault, remove: async () => {} },
      registrations: {
        ...ports.registrations,
        get: async (partition, id) => {
          const found = await ports.registrations.get(partition, id)
          const secrets = found?.document.secrets.map(
            ({ acceptUntil: _until, revoked: _revoked, ...secret }) => secret,
          )
          return found && { ...found, document: { ...found.document, secrets: secrets ?? [] } }
        },
      },
    }),
  },
  'revoked-by-clock': {
    what: 'a secret is revoked by a time that every instance reads off its own clock',
    ports: (ports) => ({
      ...ports,
      registrations: writing(ports.registrations, (document) => ({
        ...document,
        secrets: document.secrets.map(({ revoked: _revoked, ...secret }) => secret),
      })),
    }),
  },
  'leak-untold': {
    what: 'records do not say which secret let them in',
    ports: (ports) => ({
      ...ports,
      deliveries: writing(ports.deliveries, ({ secretId: _secretId, ...rest }) => rest),
    }),
  },
  'usage-uncounted': {
    what: 'which secret is used is not counted',
    ports: (ports) => ({ ...ports, usage: writing(ports.usage, () => undefined) }),
  },
  'one-secret-for-all': {
    what: 'the secret of one tenant opens the addresses of the others',
    ports: (ports) => ({
      ...ports,
      registrations: {
        ...ports.registrations,
        get: async (partition, id) => {
          const found = await ports.registrations.get(partition, id)
          if (!found) return undefined
          const secrets = [
            ...found.document.secrets,
            { id: 'all', purpose: 'signing', createdAt: '' } as const,
          ]
          return { ...found, document: { ...found.document, secrets } }
        },
      },
      vault: {
        ...ports.vault,
        get: async (name) => (name.endsWith('-all') ? houses.other.secret : ports.vault.get(name)),
      },
    }),
  },
  'refusals-untold': {
    what: 'nobody is told of what was refused',
    ports: (ports) => ({
      ...ports,
      deliveries: writing(ports.deliveries, (document) =>
        document.status === 'refused' ? undefined : document,
      ),
    }),
  },
  'echo-to-all': {
    what: 'a challenge is echoed wherever it comes',
    receive: (receive) => async (incoming) => {
      const body = challengeOf(incoming)
      if (body === null) return receive(incoming)
      return { kind: 'answered', answer: { status: 200, headers: {}, body } }
    },
  },
  'signs-anything': {
    what: 'whatever is sent as a challenge is signed with the secret of deliveries',
    receive: (receive) => async (incoming) => {
      const query = new URL(incoming.target, 'https://a.example').searchParams
      const token = query.get('crc_token')
      if (token === null) return receive(incoming)
      const mac = createHmac('sha256', houses.twitter.secret).update(token).digest('base64')
      const headers = { 'X-Content-Type-Options': 'nosniff' }
      const contentType = 'application/json; charset=utf-8'
      const body = JSON.stringify({ response_token: `sha256=${mac}` })
      return incoming.registrationId === houses.twitter.id
        ? { kind: 'answered', answer: { status: 200, contentType, headers, body } }
        : receive(incoming)
    },
  },
  'reads-on': {
    what: 'a body is read whole, however large it is',
    receive: taking((incoming) => ({ ...incoming, readBody: () => incoming.readBody(Infinity) })),
  },
  'unreadable-forgotten': {
    what: 'what nobody can use is not kept',
    ports: (ports) => ({
      ...ports,
      deliveries: writing(ports.deliveries, (document) =>
        document.status === 'quarantined' ? undefined : document,
      ),
    }),
  },
  'late-without-body': {
    what: 'a record that could not be written is written later without its body',
    ports: (ports) => {
      let late: readonly (() => Promise<unknown>)[] = []
      const { deliveries } = ports
      return {
        ...ports,
        deliveries: {
          ...deliveries,
          write: async (partition, writes) => {
            try {
              const outcome = await deliveries.write(partition, writes)
              const waiting = late
              late = []
              for (const write of waiting) await write().catch(() => {})
              return outcome
            } catch (error) {
              const bare = writes.map((one) => {
                const { body: _body, ...document } = one.document
                return { ...one, document }
              })
              late = [...late, () => deliveries.write(partition, bare)]
              throw error
            }
          },
        },
      }
    },
  },
  'batch-or-nothing': {
    what: 'one malformed element spoils its batch',
    receive: (receive) => async (incoming) => {
      const text = Buffer.from(await incoming.readBody(1_000_000)).toString('utf8')
      const receipt = await receive(incoming)
      const isSpoilt = receipt.kind === 'accepted' && text.includes('"oops"')
      return isSpoilt ? { kind: 'unreadable', deliveryId: receipt.deliveryId, reason: '' } : receipt
    },
  },
  'rest-of-batch-dropped': {
    what: 'of a batch only what stands before the malformed element goes on',
    ports: (ports) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: (messages) =>
          ports.inbound.send(messages.length > 3 ? messages.slice(0, -1) : messages),
      },
    }),
  },
  'delivery-is-change': {
    what: 'one change that two deliveries tell makes two jobs',
    ports: (ports) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: (messages) =>
          ports.inbound.send(
            messages.map((one) => ({ ...one, id: `${one.id}${one.correlationId ?? ''}` })),
          ),
      },
    }),
  },
  'one-bucket': {
    what: 'all senders share one limit',
    ports: (ports) => ({
      ...ports,
      admit: () => ports.admit({ id: 'all', tenantId: 'all', requestsPerMinute: FLOOD_PER_MINUTE }),
    }),
  },
  'one-after-another': {
    what: 'calls are taken one after another: who comes after a flood waits for all of it',
    receive: (receive) => {
      let last: Promise<unknown> = Promise.resolve()
      return (incoming) => {
        const mine = last.then(() => receive(incoming))
        last = mine.catch(() => {})
        return mine
      }
    },
  },
  'no-limit': {
    what: 'a sender may send as much as it likes',
    ports: (ports) => ({ ...ports, admit: async () => 0 }),
  },
  'shed-after-accept': {
    what: 'what is too much is accepted and then dropped',
    ports: (ports) => {
      let isFull = false
      return {
        ...ports,
        admit: async (who) => {
          isFull = (await ports.admit(who)) > 0
          return 0
        },
        inbound: {
          ...ports.inbound,
          send: async (messages) => {
            if (!isFull) await ports.inbound.send(messages)
          },
        },
      }
    },
  },
  'late-status-wins': {
    what: 'the status that comes last counts, whatever was said before',
    ports: ({ standings, ...ports }) => ({
      ...ports,
      standings: {
        ...standings,
        get: async () => undefined,
        write: (partition, writes) =>
          standings.write(
            partition,
            writes.map(({ document }) => ({ kind: 'upsert', document })),
          ),
      },
    }),
  },
  'statuses-blind': {
    what: 'a status is written over one that came in the same moment',
    ports: ({ standings, ...ports }) => ({
      ...ports,
      standings: {
        ...standings,
        write: (partition, writes) =>
          standings.write(
            partition,
            writes.map(({ document }) => ({ kind: 'upsert', document })),
          ),
      },
    }),
  },
}
