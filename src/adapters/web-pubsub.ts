import { WebPubSubServiceClient } from '@azure/web-pubsub'
import type { Realtime } from '../notifications/ports.ts'
import {
  bounded,
  CLIENT_TOKEN_MINUTES,
  readEndpoint,
  unavailable,
  type RealtimeEndpoint,
  type RealtimeOptions,
} from './realtime-endpoint.ts'

/**
 * Web PubSub by its own SDK. A message of this service has no event name, so the event stands beside the payload's
 * fields: `{ event: 'notification', type, title, body, data }`.
 */
export function createWebPubSubRealtime(options: RealtimeOptions): Realtime {
  const target = readEndpoint(options)
  const client = clientOf(target, options.hub)
  return {
    service: 'web-pubsub',
    sendToGroup: (group, payload, signal) =>
      guard(target, () =>
        client
          .group(group)
          .sendToAll({ ...payload, event: 'notification' }, { abortSignal: bounded(signal) }),
      ),
    async negotiate(userId, groups) {
      const { url, token } = await guard(target, () =>
        client.getClientAccessToken({
          userId,
          groups: [...groups],
          expirationTimeInMinutes: CLIENT_TOKEN_MINUTES,
        }),
      )
      return { url, accessToken: token }
    },
    // the health operation answers anybody; this one proves the key as well
    ping: async (signal) => {
      await guard(target, () =>
        client.groupExists('health-probe', { abortSignal: bounded(signal) }),
      )
    },
  }
}

function clientOf({ endpoint, auth }: RealtimeEndpoint, hub: string): WebPubSubServiceClient {
  const options = {
    // whoever calls decides whether to try again
    retryOptions: { maxRetries: 0 },
    allowInsecureConnection: isLoopback(endpoint),
  }
  if ('credential' in auth)
    return new WebPubSubServiceClient(endpoint, auth.credential, hub, options)
  const connectionString = `Endpoint=${endpoint};AccessKey=${auth.accessKey};Version=1.0;`
  return new WebPubSubServiceClient(connectionString, hub, options)
}

function isLoopback(endpoint: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname)
}

async function guard<R>(target: RealtimeEndpoint, work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    const status = cause instanceof Error && 'statusCode' in cause ? cause.statusCode : undefined
    throw unavailable('Web PubSub', target, {
      status: typeof status === 'number' ? status : undefined,
      cause,
    })
  }
}
