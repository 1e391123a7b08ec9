import { decode, encode } from '../../src/sync/mapping.ts'
import type { Chance } from '../simulation/random.ts'
import { entityType, type System } from './systems.ts'

interface Edit {
  readonly system: System
  readonly id: string
  readonly external: string
  readonly value: string
  /** Nobody there has written over it or deleted it since. */
  standing: boolean
}

export interface Deeds {
  created: number
  edited: number
  deleted: number
}

/** People who work in the systems all at once, and a list of what they wrote. */
export function peopleOf(chance: Chance, prefix: string) {
  const edits: Edit[] = []
  const byRow = new Map<string, Edit[]>()
  const deeds: Deeds = { created: 0, edited: 0, deleted: 0 }
  let serial = 0
  const remember = (system: System, id: string, values: Readonly<Record<string, string>>) => {
    const key = `${system.name} ${id}`
    const of = byRow.get(key) ?? []
    byRow.set(key, of)
    for (const edit of of) {
      if (edit.external in values || Object.keys(values).length === 0) edit.standing = false
    }
    for (const { external, type } of system.fields) {
      const value = values[external]
      if (value === undefined || type !== 'text') continue
      const edit = { system, id, external, value, standing: true }
      of.push(edit)
      edits.push(edit)
    }
  }
  const valueFor = (system: System, local: string): Readonly<Record<string, string>> => {
    serial += 1
    const ours = local === 'urgency' ? chance.below(3) + 1 : `${prefix} ${local} ${serial}`
    const encoded = encode({ entityType, fields: [...system.fields] }, { [local]: ours })
    if (!encoded.ok) throw encoded.error
    return Object.fromEntries(
      Object.entries(encoded.values).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    )
  }
  const act = (system: System) => {
    const ids = [...system.rows().keys()]
    const id = chance.pick(ids)
    const kind = chance.next()
    if (id === undefined || kind < 0.04) {
      const values = Object.assign({}, ...system.fields.map(({ local }) => valueFor(system, local)))
      deeds.created += 1
      return remember(system, system.create(values), values)
    }
    if (kind < 0.06) {
      system.remove(id)
      deeds.deleted += 1
      return remember(system, id, {})
    }
    const field = chance.pick(system.fields)?.local ?? 'title'
    const values = valueFor(system, field)
    system.edit(id, values)
    deeds.edited += 1
    return remember(system, id, values)
  }
  return {
    deeds,
    /** One thing that somebody does. */
    act,
    /** Values that stood where somebody wrote them until we changed them, and that nobody can find any more. */
    lost: (isKept: (value: string, by: System) => boolean) => {
      const rows = new Map(
        [...new Set(edits.map(({ system }) => system))].map((one) => [one, one.rows()]),
      )
      return edits.filter((edit) => {
        if (!edit.standing) return false
        const row = rows.get(edit.system)?.get(edit.id)
        const there = row && decode({ entityType, fields: [...edit.system.fields] }, row)
        const field = edit.system.fields.find(({ external }) => external === edit.external)
        if (there?.ok === true && field && there.fields[field.local] === edit.value) return false
        return !isKept(edit.value, edit.system)
      })
    },
  }
}
