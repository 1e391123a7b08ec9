import { canonicalJson, type Json } from '../../src/core/canonical-json.ts'
import { canonicalOf } from '../../src/sync/change.ts'
import type { FieldMapping } from '../../src/sync/mapping.ts'
import { decode } from '../../src/sync/mapping.ts'
import type { MemoryVendor } from './memory-vendor.ts'
import type { Written } from './worlds/ring-wire.ts'
import type { Chance } from './random.ts'

interface Edit {
  readonly vendor: MemoryVendor
  readonly rowId: string
  readonly field: FieldMapping
  /** As the vendor kept it, in our terms. */
  readonly value: Json
  /** Nobody there has changed or deleted it since. */
  standing: boolean
}

interface Edited {
  /** The name in our records. */
  readonly local: string
  readonly chance: Chance
}

function placeOf(vendor: string, rowId: string, [field, value]: readonly [FieldMapping, Json]) {
  return canonicalJson([vendor, rowId, field.external, value])
}

/**
 * What was edited at a vendor that does not compare before it writes, after we read the row and before we wrote the same
 * field: nobody on our side can know of it.
 */
export function unseenBy(
  vendor: MemoryVendor,
  { write, before, read }: Pick<Written, 'write' | 'before' | 'read'>,
): readonly string[] {
  if (vendor.options.comparesAndSets || !before || !read) return []
  const { mapping } = vendor.options
  const now = decode(mapping, before.values)
  const fields = mapping.fields.filter(
    ({ external }) => external in write.values && before.values[external] !== read[external],
  )
  return fields.map((field) =>
    placeOf(vendor.name, before.id, [field, (now.ok ? now.fields[field.local] : null) ?? null]),
  )
}

/** People who work in the systems, and remember what they wrote. */
export function peopleOf() {
  const edits: Edit[] = []
  const restored = new Set<string>()
  let step = 0
  const valueFor = (vendor: MemoryVendor, { type, values }: FieldMapping, chance: Chance): Json => {
    if (type === 'text') return `t${step} ${vendor.name} wrote this${chance.is(0.2) ? ' ' : ''}`
    return values ? (chance.pick(values)?.[0] ?? null) : chance.below(3) + 1
  }
  const remember = (vendor: MemoryVendor, rowId: string, fields: readonly FieldMapping[]) => {
    const written = new Set(fields.map(({ external }) => external))
    for (const edit of edits) {
      const again = written.has(edit.field.external) || written.size === 0
      if (edit.vendor === vendor && edit.rowId === rowId && again) edit.standing = false
    }
    const kept = decode(vendor.options.mapping, vendor.get(rowId)?.values ?? {})
    for (const field of kept.ok ? fields : []) {
      const value = kept.ok ? kept.fields[field.local] : undefined
      if (value === undefined || field.type !== 'text') continue
      edits.push({ vendor, rowId, field, value, standing: true })
    }
  }
  const write = (
    { vendor, chance }: { readonly vendor: MemoryVendor; readonly chance: Chance },
    rowId: string | undefined,
    fields: readonly FieldMapping[],
  ) => {
    const values = Object.fromEntries(
      fields.map((field) => [field.external, valueFor(vendor, field, chance)]),
    )
    const id = rowId === undefined ? vendor.create(values).id : vendor.edit(rowId, values).id
    remember(vendor, id, fields)
  }
  const restoreOne = (vendor: MemoryVendor, chance: Chance) => {
    const row = chance.pick(vendor.removed())
    if (!row) return 'waits'
    vendor.restore(row.id)
    restored.add(row.id)
    remember(vendor, row.id, [])
    return `brings ${row.id} back`
  }
  const recreateOne = (vendor: MemoryVendor, chance: Chance) => {
    const row = chance.pick(vendor.removed())
    // Within the second of its deletion nobody could tell the two.
    if (!row || vendor.options.clock().getTime() - Date.parse(row.time) < 1_000) return 'waits'
    const { fields } = vendor.options.mapping
    const values = Object.fromEntries(
      fields.map((field) => [field.external, valueFor(vendor, field, chance)]),
    )
    vendor.recreate(row.id, values)
    restored.add(row.id)
    remember(vendor, row.id, fields)
    return `makes ${row.id} again under its key`
  }
  return {
    /** Rows that somebody deleted and brought back, or made again under their key. */
    restored,
    /** Somebody changes this field of this row. */
    edit: (vendor: MemoryVendor, rowId: string, { local, chance }: Edited) => {
      const { fields } = vendor.options.mapping
      const field = fields.find((one) => one.local === local)
      if (!field || vendor.get(rowId)?.deleted !== false) return
      step += 1
      write({ vendor, chance }, rowId, [field])
    },
    /** Somebody creates, changes, deletes or restores something; says what. */
    act: (vendor: MemoryVendor, chance: Chance): string => {
      step += 1
      const { fields } = vendor.options.mapping
      const row = chance.pick(vendor.alive())
      const field = chance.pick(fields)
      const kind = chance.next()
      if (!row || !field || kind < 0.12) {
        write({ vendor, chance }, undefined, fields)
        return 'creates a row'
      }
      if (kind < 0.18) {
        vendor.remove(row.id)
        remember(vendor, row.id, [])
        return `deletes ${row.id}`
      }
      if (kind < 0.22) return restoreOne(vendor, chance)
      if (kind < 0.27) return recreateOne(vendor, chance)
      write({ vendor, chance }, row.id, [field])
      return `changes ${row.id}`
    },
    /**
     * What somebody wrote and neither stands there, nor was ever ours, nor is kept in a conflict. `unseen` may be lost: see
     * `unseenBy`.
     */
    lost: (kept: ReadonlySet<string>, unseen: ReadonlySet<string> = new Set()) =>
      edits
        .filter(({ standing }) => standing)
        .filter(({ vendor, rowId, field, value }) => {
          const row = vendor.get(rowId)
          const there = row && decode(vendor.options.mapping, row.values)
          const now = there?.ok === true ? there.fields[field.local] : undefined
          return canonicalJson(canonicalOf(now)) !== canonicalJson(value)
        })
        .filter(({ value }) => !kept.has(canonicalJson(value)))
        .filter(
          ({ vendor, rowId, field, value }) =>
            !unseen.has(placeOf(vendor.name, rowId, [field, value])),
        )
        .map(({ vendor, rowId, value }) => `${vendor.name} ${rowId} ${JSON.stringify(value)}`),
  }
}
