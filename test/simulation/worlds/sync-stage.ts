import { codeOf, type ErrorCode } from '../../../src/core/errors.ts'
import type { Queue } from '../../../src/core/queue.ts'
import { queueHandler } from '../../../src/functions/queue.ts'
import { parkMessage } from '../../../src/sync/dead-letters.ts'
import { deferMessage } from '../../../src/sync/defer.ts'
import { executeSync } from '../../../src/sync/inbound.ts'
import type { Mapping } from '../../../src/sync/mapping.ts'
import { pushChanges, type PushLimits } from '../../../src/sync/outbound.ts'
import { relayPending } from '../../../src/sync/outbox.ts'
import type { Source, SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { ParkedDocument, PushResult, SyncResult } from '../../../src/sync/result.ts'
import { scheduleDueTasks } from '../../../src/sync/scheduler.ts'
import type { SyncLimits } from '../../../src/sync/slice.ts'
import { inboundMessageShape, outboundMessageShape, type Task } from '../../../src/sync/task.ts'
import topology from '../../../src/topology.json' with { type: 'json' }
import { lockingQueue } from '../../ports/locking-queue.ts'
import { queueHost } from '../queue-host.ts'
import { sharedCollection, sharedQueue, type Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { playTimer } from '../timer.ts'
import type { SyncBug } from './plant.ts'

export interface SyncStageOptions {
  readonly bug: SyncBug
  readonly laws: {
    readonly workBegins: (actor: Actor, message: { readonly deferrals: number }) => void
    readonly shardCommitted: (commit: Commit<ShardDocument>) => void
    readonly resultCommitted?: (commit: Commit<SyncResult | PushResult>) => void
    readonly taskCommitted?: (commit: Commit<Task>) => void
    readonly abandoned: (code: ErrorCode, actor: Actor) => void
  }
  readonly mappingOf: (task: Task) => Mapping | undefined
  readonly sourceOf: (actor: Actor, task: Task) => Source
  readonly readLimits: SyncLimits
  readonly pushLimits: PushLimits
  /** Whether nothing of ours runs at that instant. */
  readonly asleep?: (atMs: number) => boolean
  readonly timer: Omit<Parameters<typeof playTimer>[1], 'kind'>
}

/** Both workers with their queues, the scheduler and the relay over one store, as the app puts them together. */
export function syncStage(sim: Simulation, options: SyncStageOptions) {
  const { bug, laws, readLimits, pushLimits, timer } = options
  const stores = {
    tasks: sharedCollection<Task>(sim, 'tasks', {
      committed: (commit) => laws.taskCommitted?.(commit),
    }),
    shards: sharedCollection<ShardDocument>(sim, 'shards', { committed: laws.shardCommitted }),
    results: sharedCollection<SyncResult | PushResult>(sim, 'results', {
      committed: (commit) => laws.resultCommitted?.(commit),
    }),
    parked: sharedCollection<ParkedDocument>(sim, 'parked'),
  }
  const queues = {
    inbound: lockingQueue(topology.queues.inbound, sim.now),
    outbound: lockingQueue(topology.queues.outbound, sim.now),
  }
  const senders = {
    inbound: sharedQueue(sim, queues.inbound, () => sim.at(sim.now(), () => readers.wake())),
    outbound: sharedQueue(sim, queues.outbound, () => sim.at(sim.now(), () => writers.wake())),
  }
  const portsOf = (actor: Actor): SyncPorts => {
    const ports: SyncPorts = {
      tasks: stores.tasks.as(actor),
      shards: stores.shards.as(actor),
      results: stores.results.as(actor),
      parked: stores.parked.as(actor),
      inbound: senders.inbound(actor),
      outbound: senders.outbound(actor),
      mappingOf: async (task) => options.mappingOf(task),
      openSource: async (task) => options.sourceOf(actor, task),
      clock: actor.clock,
      random: actor.random,
    }
    return bug.ports ? bug.ports(ports, actor) : ports
  }
  const signal = new AbortController().signal
  const host = (kind: 'inbound' | 'outbound') => {
    const shape = kind === 'inbound' ? inboundMessageShape : outboundMessageShape
    return queueHost(sim, {
      kind,
      queue: queues[kind],
      concurrency: 3,
      // The right to write is a lease in time: who pushes has a clock that is right to within half of it.
      ...(kind === 'outbound' ? { mostSkewMs: 60_000 } : {}),
      handlerFor: (actor) => {
        const ports = portsOf(actor)
        const queue: Queue = ports[kind]
        return queueHandler<ReturnType<typeof shape.parse>>({
          shape,
          work: async (message) => {
            laws.workBegins(actor, message)
            const outcome = await ('taskId' in message
              ? executeSync(ports, readLimits, { message, signal })
              : pushChanges(ports, pushLimits, { message, signal }))
            sim.note(actor.name, `${kind} ${outcome.kind}`)
          },
          defer: (message, id) =>
            bug.defer ? bug.defer() : deferMessage({ ...ports, queue }, message, id),
          park: (message) => parkMessage(ports, kind, message),
        })
      },
      abandoned: (_delivery, error, actor) => laws.abandoned(codeOf(error), actor),
    })
  }
  const readers = host('inbound')
  const writers = host('outbound')
  const isAsleep = () => options.asleep?.(sim.now()) ?? false
  playTimer(sim, { ...timer, kind: 'scheduler' }, async (actor) =>
    isAsleep() ? undefined : scheduleDueTasks(portsOf(actor)),
  )
  playTimer(sim, { ...timer, kind: 'relay' }, async (actor) =>
    bug.noRelay || isAsleep() ? undefined : relayPending(portsOf(actor)),
  )
  return {
    stores,
    portsOf,
    waiting: () => queues.inbound.size() + queues.outbound.size(),
  }
}
