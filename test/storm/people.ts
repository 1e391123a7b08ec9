import type { JsonObject } from '../../src/core/canonical-json.ts'
import type { Chance } from '../simulation/random.ts'
import type { System } from './systems.ts'

export interface Edit {
  readonly system: System
  readonly id: string
  readonly field: string
  readonly value: string
  /** Nobody there has written over it or deleted it since. */
  standing: boolean
}

export interface Deeds {
  created: number
  edited: number
  deleted: number
  recreated: number
  /** Calls whose answer was lost, and things that somebody else had done away with. */
  inVain: number
}

interface Gone {
  readonly id: string
  readonly fields: JsonObject
}

const fieldNames = ['title', 'description', 'urgency'] as const
/** Shares of what people do; everything else is an edit. */
const share = { create: 0.04, remove: 0.04, recreate: 0.02 }

/** People who work on all sides at once, and a list of what they wrote. */
export function peopleOf(chance: Chance, prefix: string) {
  const edits: Edit[] = []
  const byRow = new Map<string, Edit[]>()
  const gone = new Map<System, Gone[]>()
  const deeds: Deeds = { created: 0, edited: 0, deleted: 0, recreated: 0, inVain: 0 }
  let serial = 0

  const editsOf = (system: System, id: string) => {
    const key = `${system.name} ${id}`
    const known = byRow.get(key) ?? []
    byRow.set(key, known)
    return known
  }
  /** What stood in these fields was, or may have been, written over. */
  const overwritten = (system: System, id: string, fields: readonly string[]) => {
    for (const edit of editsOf(system, id)) if (fields.includes(edit.field)) edit.standing = false
  }
  const written = (system: System, id: string, fields: JsonObject) => {
    overwritten(system, id, Object.keys(fields))
    for (const [field, value] of Object.entries(fields)) {
      if (typeof value !== 'string') continue
      const edit = { system, id, field, value, standing: true }
      editsOf(system, id).push(edit)
      edits.push(edit)
    }
  }
  const valueOf = (field: string) => {
    serial += 1
    return field === 'urgency' ? chance.below(3) + 1 : `${prefix} ${field} ${serial}`
  }
  const whole = () => Object.fromEntries(fieldNames.map((field) => [field, valueOf(field)]))

  const create = async (system: System) => {
    const fields = whole()
    const id = await system.create(fields)
    if (id === undefined) return void (deeds.inVain += 1)
    deeds.created += 1
    written(system, id, fields)
  }
  const remove = async (system: System, id: string) => {
    const fields = lastOf(editsOf(system, id))
    const done = await system.remove(id)
    overwritten(system, id, fieldNames)
    if (!done) return void (deeds.inVain += 1)
    deeds.deleted += 1
    gone.set(system, [...(gone.get(system) ?? []), { id, fields }])
  }
  const recreate = async (system: System) => {
    const some = gone.get(system) ?? []
    const one = chance.pick(some)
    if (!one) return create(system)
    gone.set(
      system,
      some.filter((other) => other !== one),
    )
    const id = await system.recreate(one.id, { ...whole(), ...one.fields })
    if (id === undefined) return void (deeds.inVain += 1)
    deeds.recreated += 1
  }
  const edit = async (system: System, id: string) => {
    const field = chance.pick(fieldNames) ?? 'title'
    const fields = { [field]: valueOf(field) }
    if (await system.edit(id, fields)) {
      deeds.edited += 1
      return written(system, id, fields)
    }
    deeds.inVain += 1
    overwritten(system, id, [field])
  }

  return {
    deeds,
    /** One thing that somebody does. */
    act: async (system: System): Promise<void> => {
      const kind = chance.next()
      if (kind < share.create) return create(system)
      if (kind < share.create + share.recreate) return recreate(system)
      const id = await system.pick(chance)
      if (id === undefined) return create(system)
      return kind < share.create + share.recreate + share.remove
        ? remove(system, id)
        : edit(system, id)
    },
    /** Values that stood where somebody wrote them until we changed them, and that nobody can find any more. */
    lost: async (isKept: (edit: Edit) => boolean): Promise<readonly Edit[]> => {
      const systems = [...new Set(edits.map(({ system }) => system))]
      const rows = new Map(
        await Promise.all(systems.map(async (one) => [one, await one.rows()] as const)),
      )
      return edits.filter((one) => {
        if (!one.standing) return false
        const there = rows.get(one.system)?.get(one.id)
        return there?.[one.field] !== one.value && !isKept(one)
      })
    },
  }
}

/** What people wrote into a row last. */
function lastOf(edits: readonly Edit[]): JsonObject {
  return Object.fromEntries(edits.map(({ field, value }) => [field, value]))
}
