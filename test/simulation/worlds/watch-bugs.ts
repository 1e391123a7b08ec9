import type { Collection } from '../../../src/core/collection.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import type { Subscription } from '../../../src/webhooks/subscription.ts'
import type { SubscriptionPorts } from '../../../src/webhooks/subscriptions.ts'
import { SECRET } from '../../webhooks/receiver-world.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface WatchBug {
  readonly what: string
  readonly receiver?: (ports: WebhookPorts) => WebhookPorts
  readonly keeper?: (ports: SubscriptionPorts) => SubscriptionPorts
}

const stored = { committed: true, etags: [''] } as const

const writing = (
  subscriptions: Collection<Subscription>,
  change: (document: Subscription) => Subscription,
): Collection<Subscription> => ({
  ...subscriptions,
  write: (partition, writes) =>
    subscriptions.write(
      partition,
      writes.map((one) => ({ ...one, document: change(one.document) })),
    ),
})

export const watchBugs: Readonly<Record<string, WatchBug>> = {
  'gap-unread': {
    what: 'what was missed is noted, and nobody reads it',
    keeper: (ports) => ({ ...ports, inbound: { ...ports.inbound, send: async () => {} } }),
  },
  'gap-closed-first': {
    what: 'that nothing is missing any more is written before it is asked for',
    keeper: (ports) => {
      const later: (() => Promise<void>)[] = []
      return {
        ...ports,
        inbound: {
          ...ports.inbound,
          send: async (messages) => void later.push(() => ports.inbound.send(messages)),
        },
        subscriptions: {
          ...ports.subscriptions,
          write: async (partition, writes) => {
            const outcome = await ports.subscriptions.write(partition, writes)
            for (const send of later.splice(0)) await send()
            return outcome
          },
        },
      }
    },
  },
  'gap-unmarked': {
    what: 'nobody is told from when to when something was missed',
    keeper: (ports) => ({
      ...ports,
      subscriptions: writing(ports.subscriptions, (document) => ({ ...document, gaps: [] })),
    }),
  },
  'missed-ignored': {
    what: 'a vendor that says that something was missed is not listened to',
    receiver: (ports) => ({
      ...ports,
      inbound: {
        ...ports.inbound,
        send: async (messages) => {
          const some = messages.filter(({ body }) => JSON.stringify(body).includes('externalId'))
          if (some.length > 0) await ports.inbound.send(some)
        },
      },
    }),
  },
  'removal-unheard': {
    what: 'a subscription that the vendor has removed is thought to live',
    receiver: (ports) => ({
      ...ports,
      subscriptions: { ...ports.subscriptions, get: async () => undefined },
    }),
    keeper: (ports) => ({
      ...ports,
      subscriber: {
        ...ports.subscriber,
        renew: async (subscriptionId, wanted) => {
          const renewal = await ports.subscriber.renew(subscriptionId, wanted)
          const { expiresAt } = wanted
          return renewal.kind === 'gone' ? { kind: 'active', subscriptionId, expiresAt } : renewal
        },
      },
    }),
  },
  'alert-every-try': {
    what: 'people are told of every try that fails',
    keeper: (ports) => ({
      ...ports,
      subscriptions: writing(ports.subscriptions, (document) => ({ ...document, alertedAt: null })),
    }),
  },
  'alert-unwritten': {
    what: 'people are told of what could not be written down, and told again',
    keeper: (ports) => ({
      ...ports,
      subscriptions: {
        ...ports.subscriptions,
        write: async (partition, writes) => {
          const outcome = await ports.subscriptions.write(partition, writes)
          const isFailure = writes.some(({ document }) => document.attempts > 0)
          return outcome.committed || !isFailure ? outcome : stored
        },
      },
    }),
  },
  'nobody-told': {
    what: 'nobody is told of a subscription that cannot be renewed',
    keeper: (ports) => ({ ...ports, log: { ...ports.log, error() {} } }),
  },
  'secret-in-document': {
    what: 'the document of a subscription holds what its vendor proves itself with',
    keeper: (ports) => ({
      ...ports,
      subscriptions: writing(ports.subscriptions, (document) => ({
        ...document,
        resource: `${document.resource}?clientState=${SECRET}`,
      })),
    }),
  },
}
