import type { TokenCredential } from '@azure/identity'
import type { Realtime } from '../notifications/ports.ts'

export interface RealtimeOptions {
  readonly hub: string
  readonly signalR: string | undefined
  readonly webPubSub: string | undefined
}

/** The services that are configured; each is loaded only then. */
export async function openRealtimes(
  { hub, signalR, webPubSub }: RealtimeOptions,
  identity: () => Promise<TokenCredential>,
): Promise<readonly Realtime[]> {
  const opened: Realtime[] = []
  // A connection string without a key means that the managed identity calls.
  const optionsFor = async (connectionString: string) =>
    /accesskey=/i.test(connectionString)
      ? { connectionString, hub }
      : { connectionString, hub, credential: await identity() }
  if (signalR !== undefined) {
    const { createSignalRRealtime } = await import('./signalr.ts')
    opened.push(createSignalRRealtime(await optionsFor(signalR)))
  }
  if (webPubSub !== undefined) {
    const { createWebPubSubRealtime } = await import('./web-pubsub.ts')
    opened.push(createWebPubSubRealtime(await optionsFor(webPubSub)))
  }
  return opened
}
