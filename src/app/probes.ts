import type { Vault } from '../core/vault.ts'
import type { Probe } from '../management/health.ts'
import type { Realtime } from '../notifications/ports.ts'
import type { SyncPorts } from '../sync/ports.ts'

interface Probed {
  readonly ports: () => Promise<Pick<SyncPorts, 'tasks' | 'inbound'>>
  readonly vault: () => Promise<Vault>
  readonly realtimes: readonly Realtime[]
  readonly redis: Pick<Probe, 'ping'> | undefined
}

/** What the health check asks. Without the realtime services phones hear nothing, without Redis each process has a
 * share of the limits; everything else goes on. */
export function probesOf({ ports, vault, realtimes, redis }: Probed): readonly Probe[] {
  return [
    { service: 'cosmos', essential: true, ping: async () => (await ports()).tasks.ping() },
    { service: 'serviceBus', essential: true, ping: async () => (await ports()).inbound.ping() },
    { service: 'keyVault', essential: true, ping: async () => (await vault()).ping() },
    ...realtimes.map((realtime) => ({
      service: realtime.service === 'signalr' ? 'signalR' : 'webPubSub',
      essential: false,
      ping: (signal: AbortSignal) => realtime.ping(signal),
    })),
    ...(redis
      ? [{ service: 'redis', essential: false, ping: (signal: AbortSignal) => redis.ping(signal) }]
      : []),
  ]
}
