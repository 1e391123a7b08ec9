import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/canonical-json.ts'
import { isSame } from '../../src/sync/change.ts'
import { linkOf } from '../../src/sync/draft.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import type { Task } from '../../src/sync/task.ts'
import type { MemoryVendor } from './memory-vendor.ts'
import { peopleOf } from './people.ts'
import { ringOf, viewOf, workAMinute, type Ring } from './ring.ts'

const policies: Readonly<Record<string, Partial<Task>>> = {
  'what is here wins': { conflictStrategy: 'local_wins' },
  'what is there wins': { conflictStrategy: 'external_wins' },
  'the newest wins': { conflictStrategy: 'newest_wins', tieBreak: 'external_wins' },
  'a person decides': { conflictStrategy: 'manual' },
}
const names = Object.keys(policies)
const cases = Array.from(
  { length: Number(process.env['SEEDS'] ?? 16) },
  (_, index) => [names[index % names.length] ?? '', index + 1] as const,
)

interface Storm {
  readonly seed: number
  readonly policy: Partial<Task>
  readonly steps: number
}

/** Edits on all sides while everything fails now and then; then peace, until nothing moves any more. */
async function storm({ seed, policy, steps }: Storm) {
  const people: { act?: ReturnType<typeof peopleOf>['act'] } = {}
  const meanwhile = (index: number) => () => {
    const vendor = ring.vendors[index]
    if (vendor && ring.faults.crash > 0 && ring.chance.is(0.01)) people.act?.(vendor)
  }
  // A vendor that does not compare before it writes can be overtaken between our reading and writing.
  const ring: Ring = ringOf({
    seed,
    policy,
    vendors: [{}, { meanwhile: meanwhile(1) }, { meanwhile: meanwhile(2) }],
  })
  const { act, lost } = peopleOf(ring.chance)
  people.act = act
  await ring.addTasks()
  ring.faults.vendor.share = 0.1
  ring.faults.crash = 0.004
  ring.faults.duplicate = 0.05
  for (let step = 0; step < steps; step += 1) {
    const vendor = ring.chance.pick(ring.vendors)
    if (vendor) act(vendor)
    if (ring.chance.is(0.25)) await workAMinute(ring)
  }
  ring.faults.vendor.share = 0
  ring.faults.crash = 0
  ring.faults.duplicate = 0
  await quiesce(ring)
  return { ring, lost: lost(ring.kept) }
}

async function quiesce(ring: Ring): Promise<void> {
  const writes = () => ring.vendors.map((vendor) => vendor.writes.length).join()
  let calm = 0
  for (let minute = 0; minute < 200 && calm < 5; minute += 1) {
    const before = writes()
    await workAMinute(ring)
    const waiting = ring.records().some(({ pending }) => pending.length > 0)
    calm = before === writes() && !waiting ? calm + 1 : 0
  }
  expect(calm).toBe(5)
}

/** Each living record has exactly one living row in each system, and both say the same. */
function expectAgreement(ring: Ring): void {
  const living = ring.records().filter(({ deleted, links }) => !deleted && !('' in links))
  const settled = living.filter(({ links }) => Object.values(links).every(({ held }) => !held['']))
  for (const vendor of ring.vendors) {
    const ids = settled.map((record) => linkOf(record, vendor.name).externalId)
    const held = living.length - settled.length
    expect(new Set(ids).size).toBe(settled.length)
    expect(vendor.alive().length).toBeGreaterThanOrEqual(settled.length)
    expect(vendor.alive().length).toBeLessThanOrEqual(settled.length + heldDeletes(ring) + held)
    const views = new Map(vendor.alive().map(({ id }, index) => [id, viewOf(vendor)[index]]))
    for (const record of settled) {
      const view = views.get(linkOf(record, vendor.name).externalId ?? '') ?? {}
      expect([vendor.name, record.id, differencesOf(vendor, record, view)]).toEqual([
        vendor.name,
        record.id,
        [],
      ])
    }
  }
}

/** Fields that read otherwise there than here, though nobody has to decide about them. */
function differencesOf({ name, options }: MemoryVendor, record: RecordDocument, view: JsonObject) {
  const { theirs, held } = linkOf(record, name)
  return options.mapping.fields
    .filter(({ local }) => !held[local])
    .filter(({ local, equality }) => {
      const ours = local in theirs ? theirs[local] : record.fields[local]
      return !isSame(view[local], ours, equality)
    })
    .map(({ local }) => [local, view[local], record.fields[local]])
}

/** Records that are deleted here while a person has to say whether they are there. */
function heldDeletes(ring: Ring): number {
  const deleted = ring.records().filter((record) => record.deleted)
  return deleted.filter(({ links }) => Object.values(links).some(({ held }) => held[''])).length
}

test.for(cases)(
  'S45: three systems agree after a storm of edits, deletes and faults, and no value is lost: %s (seed %i)',
  async ([policy, seed]) => {
    const { ring, lost } = await storm({ seed, policy: policies[policy] ?? {}, steps: 150 })
    expect(ring.parked.all()).toEqual([])
    expect(lost).toEqual([])
    expectAgreement(ring)
  },
)
