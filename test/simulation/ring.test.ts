import { expect, test } from 'vitest'
import { isSame } from '../../src/sync/change.ts'
import { linkOf } from '../../src/sync/draft.ts'
import { ringOf, viewOf, workAMinute, type Ring } from './ring.ts'

const seeds = Array.from({ length: 12 }, (_, index) => [index + 1] as const)

/** One thing that somebody does in one of the systems. */
function editSomething(ring: Ring, step: number): void {
  const { chance } = ring
  const vendor = chance.pick(ring.vendors)
  if (!vendor) return
  const row = chance.pick(vendor.alive())
  const fields = vendor.options.mapping.fields
  const field = chance.pick(fields)
  if (!row || !field || chance.is(0.15)) {
    vendor.create(
      Object.fromEntries(
        fields.map(({ external, local }) => [external, valueOf(local, step, chance.below(3))]),
      ),
    )
  } else if (chance.is(0.08)) vendor.remove(row.id)
  else vendor.edit(row.id, { [field.external]: valueOf(field.local, step, chance.below(3)) })

  function valueOf(local: string, number: number, choice: number) {
    if (local === 'state')
      return field && vendor?.name === 'force'
        ? (['New', 'Working', 'Closed'][choice] ?? 'New')
        : choice + 1
    return `${local} ${number} of ${vendor?.name}`
  }
}

async function storm(ring: Ring, steps: number): Promise<void> {
  await ring.addTasks()
  ring.faults.vendor.share = 0.1
  ring.faults.crash = 0.004
  ring.faults.duplicate = 0.05
  for (let step = 0; step < steps; step += 1) {
    editSomething(ring, step)
    if (ring.chance.is(0.25)) await workAMinute(ring)
  }
  ring.faults.vendor.share = 0
  ring.faults.crash = 0
  ring.faults.duplicate = 0
}

async function quiesce(ring: Ring): Promise<void> {
  let calm = 0
  for (let minute = 0; minute < 200 && calm < 3; minute += 1) {
    const before = ring.vendors.map(({ writes }) => writes.length).join()
    await workAMinute(ring)
    const pending = ring.records().some((record) => record.pending.length > 0)
    const same = ring.vendors.map(({ writes }) => writes.length).join() === before
    calm = same && !pending ? calm + 1 : 0
  }
  expect(calm).toBe(3)
}

function expectAgreement(ring: Ring): void {
  const living = ring.records().filter(({ deleted }) => !deleted)
  for (const vendor of ring.vendors) {
    const rows = viewOf(vendor)
    expect([vendor.name, rows.length]).toEqual([vendor.name, living.length])
    for (const record of living) {
      const { externalId, theirs, held } = linkOf(record, vendor.name)
      const row = vendor.get(externalId ?? '')
      expect(row).toBeDefined()
      const index = vendor.alive().findIndex(({ id }) => id === externalId)
      for (const { local, equality } of vendor.options.mapping.fields) {
        const there = rows[index]?.[local] ?? null
        const here = local in theirs ? theirs[local] : record.fields[local]
        if (held[local]) continue
        expect([local, there, isSame(there, here, equality)]).toEqual([local, there, true])
      }
    }
  }
}

test.for(seeds)(
  'S45: three systems agree after a storm of edits, deletes and faults (seed %i)',
  async ([seed]) => {
    const ring = ringOf({ seed })
    await storm(ring, 150)
    await quiesce(ring)
    expect(ring.parked.all()).toEqual([])
    expectAgreement(ring)
  },
)
