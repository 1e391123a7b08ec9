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
  /** In our terms. */
  readonly value: Json
  /** Nobody there has changed or deleted it since. */
  standing: boolean
}

/** People who work in the systems, and remember what they wrote. */
export function peopleOf(chance: Chance) {
  const edits: Edit[] = []
  let step = 0
  const valueFor = (vendor: MemoryVendor, { type, values }: FieldMapping): Json => {
    if (type === 'text') return `text ${step} of ${vendor.name}`
    return values ? (chance.pick(values)?.[0] ?? null) : chance.below(3) + 1
  }
  const remember = (vendor: MemoryVendor, rowId: string, written: ReadonlyMap<string, Json>) => {
    for (const edit of edits) {
      const again = written.has(edit.field.external) || written.size === 0
      if (edit.vendor === vendor && edit.rowId === rowId && again) edit.standing = false
    }
    for (const field of vendor.options.mapping.fields) {
      const raw = written.get(field.external)
      if (raw === undefined || field.type !== 'text') continue
      edits.push({ vendor, rowId, field, value: raw, standing: true })
    }
  }
  const write = (
    vendor: MemoryVendor,
    rowId: string | undefined,
    fields: readonly FieldMapping[],
  ) => {
    const written = new Map(fields.map((field) => [field.external, valueFor(vendor, field)]))
    const values = Object.fromEntries(written)
    const id = rowId === undefined ? vendor.create(values).id : vendor.edit(rowId, values).id
    remember(vendor, id, written)
  }
  return {
    /** Somebody creates, changes, clears, deletes or restores something. */
    act: (vendor: MemoryVendor) => {
      step += 1
      const { fields } = vendor.options.mapping
      const row = chance.pick(vendor.alive())
      const field = chance.pick(fields)
      const kind = chance.next()
      if (!row || !field || kind < 0.12) return write(vendor, undefined, fields)
      if (kind < 0.18) {
        vendor.remove(row.id)
        return remember(vendor, row.id, new Map())
      }
      if (kind < 0.22) return restoreOne(vendor)
      return write(vendor, row.id, [field])
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
        .map(({ vendor, rowId, value }) => [vendor.name, rowId, value]),
  }

  function restoreOne(vendor: MemoryVendor): void {
    const row = chance.pick(vendor.removed())
    if (!row) return
    vendor.restore(row.id)
    remember(vendor, row.id, new Map())
  }
}
