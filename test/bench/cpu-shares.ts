/** The parts of a profile of V8 that are looked at here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly children?: readonly number[] | undefined
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples?: readonly number[] | undefined
  readonly timeDeltas?: readonly number[] | undefined
}

export const owners = ['our code', 'emulators', 'libraries', 'sender', 'runtime'] as const
export type Owner = (typeof owners)[number]

const folders: readonly (readonly [RegExp, Owner])[] = [
  [/\/node_modules\//, 'libraries'],
  [/\/infra\/local\//, 'emulators'],
  [/\/src\//, 'our code'],
  [/\/test\//, 'sender'],
]

/**
 * Microseconds of each owner, without idle time. What Node does is on the account of whoever called it; what nobody
 * called (garbage collection, sockets that have something to say) is the runtime's own.
 */
export function sharesOf({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Map<Owner, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  )
  const ownerOf = (id: number): Owner => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const url = byId.get(at)?.callFrame.url ?? ''
      const folder = folders.find(([pattern]) => pattern.test(url))
      if (folder) return folder[1]
    }
    return 'runtime'
  }
  const shares = new Map<Owner, number>()
  for (const [index, id] of samples.entries()) {
    if (byId.get(id)?.callFrame.functionName === '(idle)') continue
    const owner = ownerOf(id)
    shares.set(owner, (shares.get(owner) ?? 0) + (timeDeltas[index] ?? 0))
  }
  return shares
}
