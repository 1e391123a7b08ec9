import type { Actor, Simulation } from './simulation.ts'

/** A place where a process runs; nothing serves while a new one starts. */
export interface Instance<T> {
  actor?: Actor
  serves?: T
}

interface Fleet {
  /** What its processes are called. */
  readonly kind: string
  readonly count: number
  /** When they end by themselves. */
  readonly untilMs: number
  readonly mostSkewMs?: number
}

const START_UP_MS = 2_000

/** Processes that take call after call; one that dies is replaced by another that knows nothing. */
export function playInstances<T>(
  sim: Simulation,
  { kind, count, untilMs, mostSkewMs }: Fleet,
  open: (actor: Actor) => T,
): readonly Instance<T>[] {
  const instances = Array.from({ length: count }, (): Instance<T> => ({}))
  const start = (instance: Instance<T>, index: number, life: number) =>
    sim.spawn({
      kind,
      name: `${kind} ${index}/${life}`,
      ...(mostSkewMs === undefined ? {} : { mostSkewMs }),
      work: (actor) =>
        new Promise<void>((resolve) => {
          Object.assign(instance, { actor, serves: open(actor) })
          sim.at(untilMs, resolve)
        }),
      ended: (end) => {
        if (end.kind !== 'died') return
        delete instance.serves
        sim.at(sim.now() + START_UP_MS, () => start(instance, index, life + 1))
      },
    })
  for (const [index, instance] of instances.entries()) start(instance, index, 1)
  return instances
}
