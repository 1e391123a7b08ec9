import { isSame } from '../../src/sync/change.ts'
import { linkOf } from '../../src/sync/draft.ts'
import { recordIdOf, type RecordDocument } from '../../src/sync/record.ts'
import type { peopleOf } from './people.ts'
import { entityType, type Vendor } from './systems.ts'
import { tenantId, type World } from './world.ts'

export interface Finding {
  readonly name: string
  readonly value: string
  /** Undefined for what is only told. */
  readonly holds?: boolean
}

export interface Ending {
  /** Undefined: it did. */
  readonly waitsFor: string | undefined
  readonly pushesInPeace: number
  readonly calls: number
  readonly struck: number
  readonly kills: number
  readonly copies: number
  readonly seconds: number
}

const EXAMPLES = 5

/** What must be true after a storm, each with the number that shows it, and with examples where it is not. */
export async function verdictOf(
  world: World,
  people: ReturnType<typeof peopleOf>,
  ending: Ending,
): Promise<{ readonly findings: readonly Finding[]; readonly examples: readonly string[] }> {
  const { records, conflicts } = await world.shards()
  const living = records.filter(({ deleted }) => !deleted)
  const kept = keptBy(records, conflicts)
  const lost = await people.lost(
    ({ value, system }) =>
      kept.has(value) ||
      [...world.vendors, world.hub].some((one) => one !== system && one.history.has(value)),
  )
  const parked = await world.parked()
  const inEach = async (look: (vendor: Vendor) => Promise<readonly string[]>) =>
    (await Promise.all(world.vendors.map(look))).flat()
  const differences = await inEach((vendor) => differencesOf(vendor, living))
  const strays = await inEach((vendor) => straysOf(vendor, living))
  const twins = await inEach(async (vendor) => twinsOf(vendor, records))
  const { created, edited, deleted, recreated, inVain } = people.deeds
  const { calls, struck, kills, copies, waitsFor, pushesInPeace, seconds } = ending
  const lostOnes = lost.map(
    ({ system, id, field, value }) => `${system.name} ${id} ${field} "${value}"`,
  )
  const rows = world.vendors.map((vendor) => ({
    name: `rows in ${vendor.name} / written by us`,
    value: `${vendor.size()} / ${vendor.ourWrites()}`,
  }))
  const checks: readonly (readonly [name: string, found: readonly string[]])[] = [
    ['fields that differ', differences],
    ['rows without a record of their own', strays],
    ['rows that are there twice', twins],
    ['values lost', lostOnes],
    ['parked', parked.map((one) => JSON.stringify(one))],
  ]
  return {
    findings: [
      {
        name: 'created / edited / deleted / created again by people',
        value: `${created} / ${edited} / ${deleted} / ${recreated}`,
      },
      { name: 'edits whose answer was lost or that came too late', value: `${inVain}` },
      { name: 'calls of the vendors / struck', value: `${calls} / ${struck}` },
      { name: 'kills / messages sent twice', value: `${kills} / ${copies}` },
      ...rows,
      { name: 'records / conflicts', value: `${living.length} / ${conflicts.length}` },
      { name: 'seconds', value: String(seconds) },
      {
        name: 'came to rest',
        value: waitsFor === undefined ? 'yes' : 'no',
        holds: waitsFor === undefined,
      },
      ...checks.map(([name, found]) => ({
        name,
        value: String(found.length),
        holds: found.length === 0,
      })),
      { name: 'pushes in peace', value: String(pushesInPeace), holds: pushesInPeace === 0 },
    ],
    examples: [
      ...(waitsFor === undefined ? [] : [`still waiting: ${waitsFor}`]),
      ...checks.flatMap(([name, found]) =>
        found.slice(0, EXAMPLES).map((example) => `${name}: ${example}`),
      ),
    ],
  }
}

type Shards = Awaited<ReturnType<World['shards']>>

/** Every text that a record or a conflict has. */
function keptBy(records: Shards['records'], conflicts: Shards['conflicts']): ReadonlySet<string> {
  const kept = new Set<string>()
  const keep = (value: unknown) => {
    if (typeof value === 'string') kept.add(value.trim())
  }
  for (const { fields } of records) Object.values(fields).forEach(keep)
  for (const { local, external } of conflicts) {
    for (const side of [local, external]) {
      if (typeof side === 'object' && side !== null) Object.values(side).forEach(keep)
      else keep(side)
    }
  }
  return kept
}

async function differencesOf(
  { name, connectionId, fields, rows }: Vendor,
  living: readonly RecordDocument[],
): Promise<readonly string[]> {
  const there = await rows()
  return living.flatMap((record) => {
    const { externalId, theirs, held } = linkOf(record, connectionId)
    const row = there.get(externalId ?? '')
    if (!row) return [`${name} has no row of ${record.id}`]
    return fields
      .filter(({ local }) => !held[local])
      .filter(({ local, equality }) => {
        const ours = local in theirs ? theirs[local] : record.fields[local]
        return !isSame(row[local], ours, equality)
      })
      .map(({ local }) => `${name} ${externalId ?? ''} ${local} differs from ${record.id}`)
  })
}

/** Rows that no living record has, or more than one. */
async function straysOf(
  { name, connectionId, rows }: Vendor,
  living: readonly RecordDocument[],
): Promise<readonly string[]> {
  const owners = new Map<string, number>()
  for (const record of living) {
    const { externalId } = linkOf(record, connectionId)
    if (externalId !== null) owners.set(externalId, (owners.get(externalId) ?? 0) + 1)
  }
  return [...(await rows()).keys()]
    .filter((id) => owners.get(id) !== 1)
    .map((id) => `${name} ${id} has ${owners.get(id) ?? 0} records`)
}

/** Rows that we created twice for one record, and records that a row of our own became. */
function twinsOf(
  { name, connectionId, markers, ours }: Vendor,
  records: readonly RecordDocument[],
): readonly string[] {
  const counts = new Map<string, number>()
  for (const marker of markers()) counts.set(marker, (counts.get(marker) ?? 0) + 1)
  const repeated = [...counts].filter(([, count]) => count > 1).map(([marker]) => marker)
  const known = new Set(records.map(({ id }) => id))
  const key = { tenantId, entityType, connectionId }
  const echoes = [...ours].filter((id) => known.has(recordIdOf(key, id)))
  return [
    ...repeated.map((marker) => `${name} has two rows of ${marker}`),
    ...echoes.map((id) => `${name} ${id}, which we wrote, became a record of its own`),
  ]
}
