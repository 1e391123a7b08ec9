import type { TokenCredential } from '@azure/identity'
import type { Probe } from '../management/health.ts'
import type { Realtime } from '../notifications/ports.ts'
import type { Settings } from '../settings.ts'

/** The services that keep connections to phones, as far as they are configured. */
export async function openRealtimes(
  { realtime: { hub, signalR, webPubSub } }: Settings,
  identity: () => Promise<TokenCredential>,
): Promise<readonly Realtime[]> {
  const opened: Realtime[] = []
  // A connection string without a key means that the managed identity calls.
  const optionsFor = async (connectionString: string) =>
    /accesskey=/i.test(connectionString)
      ? { connectionString, hub }
      : { connectionString, hub, credential: await identity() }
  if (signalR !== undefined) {
    const { createSignalRRealtime } = await import('../adapters/signalr.ts')
    opened.push(createSignalRRealtime(await optionsFor(signalR)))
  }
  if (webPubSub !== undefined) {
    const { createWebPubSubRealtime } = await import('../adapters/web-pubsub.ts')
    opened.push(createWebPubSubRealtime(await optionsFor(webPubSub)))
  }
  return opened
}

export function realtimeProbe(realtime: Realtime): Probe {
  const service = realtime.service === 'signalr' ? 'signalR' : 'webPubSub'
  return { service, essential: false, ping: (signal) => realtime.ping(signal) }
}
