import type { Chance } from '../simulation/random.ts'

/** Ids to pick from; those that are not there any more leave it when they are met. */
export function pool(isThere: (id: string) => boolean) {
  const ids: string[] = []
  return {
    add: (id: string): void => void ids.push(id),
    pick: (chance: Chance): string | undefined => {
      while (ids.length > 0) {
        const at = chance.below(ids.length)
        const id = ids[at]
        if (id !== undefined && isThere(id)) return id
        const last = ids.pop()
        if (last !== undefined && at < ids.length) ids[at] = last
      }
      return undefined
    },
  }
}
