import { canonicalJson, type Json } from '../../src/core/canonical-json.ts'
import { canonicalOf } from '../../src/sync/change.ts'
import type { FieldMapping } from '../../src/sync/mapping.ts'
import { decode } from '../../src/sync/mapping.ts'
import type { MemoryVendor } from './memory-vendor.ts'
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
    if (!row) return
    vendor.restore(row.id)
    restored.add(row.id)
    remember(vendor, row.id, [])
  }
  return {
    /** Rows that somebody deleted and brought back. */
    restored,
    /** Somebody creates, changes, deletes or restores something. */
    act: (vendor: MemoryVendor, chance: Chance) => {
      step += 1
      const { fields } = vendor.options.mapping
      const row = chance.pick(vendor.alive())
      const field = chance.pick(fields)
      const kind = chance.next()
      if (!row || !field || kind < 0.12) return write({ vendor, chance }, undefined, fields)
      if (kind < 0.18) {
        vendor.remove(row.id)
        return remember(vendor, row.id, [])
      }
      if (kind < 0.22) return restoreOne(vendor, chance)
      return write({ vendor, chance }, row.id, [field])
    },
    /** What somebody wrote and neither stands there, nor was ever ours, nor is kept in a conflict. */
    lost: (kept: ReadonlySet<string>) =>
      edits
        .filter(({ standing }) => standing)
        .filter(({ vendor, rowId, field, value }) => {
          const row = vendor.get(rowId)
          const there = row && decode(vendor.options.mapping, row.values)
          const now = there?.ok === true ? there.fields[field.local] : undefined
          return canonicalJson(canonicalOf(now)) !== canonicalJson(value)
        })
        .filter(({ value }) => !kept.has(canonicalJson(value)))
        .map(({ vendor, rowId, value }) => `${vendor.name} ${rowId} ${JSON.stringify(value)}`),
  }
}
