import { isSame } from '../../src/sync/change.ts'
import { linkOf } from '../../src/sync/draft.ts'
import { decode } from '../../src/sync/mapping.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import type { peopleOf } from './people.ts'
import { entityType, type System } from './systems.ts'
import type { World } from './world.ts'

export interface Finding {
  readonly name: string
  readonly value: string
  /** Undefined for what is only told. */
  readonly holds?: boolean
}

/** What must be true after a storm, each with the number that shows it. */
export async function verdictOf(
  world: World,
  people: ReturnType<typeof peopleOf>,
  peace: { readonly pushesInPeace: number; readonly edits: number },
): Promise<readonly Finding[]> {
  const { records, conflicts } = await world.shards()
  const living = records.filter(({ deleted }) => !deleted)
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
  const lost = people.lost(
    (value, by) =>
      kept.has(value) || world.systems.some((system) => system !== by && system.history.has(value)),
  )
  const parked = await world.parked()
  const differences = world.systems.flatMap((system) => differencesOf(system, living))
  const strays = world.systems.flatMap((system) => straysOf(system, living))
  for (const one of lost.slice(0, 5)) {
    process.stdout.write(`lost: ${one.system.name} ${one.id} ${one.external} "${one.value}"\n`)
  }
  for (const one of [...differences, ...strays].slice(0, 5)) process.stdout.write(`${one}\n`)
  for (const one of parked.slice(0, 5)) process.stdout.write(`parked: ${JSON.stringify(one)}\n`)
  const { created, edited, deleted } = people.deeds
  return [
    { name: 'created, edited, deleted by people', value: `${created}/${edited}/${deleted}` },
    ...world.systems.map((system) => ({
      name: `rows in ${system.name}, written by us`,
      value: `${system.rows().size}/${system.ourWrites()}`,
    })),
    { name: 'records, conflicts', value: `${living.length}/${conflicts.length}` },
    {
      name: 'fields that differ',
      value: String(differences.length),
      holds: differences.length === 0,
    },
    {
      name: 'rows without a record of their own',
      value: String(strays.length),
      holds: strays.length === 0,
    },
    { name: 'values lost', value: String(lost.length), holds: lost.length === 0 },
    { name: 'rows parked', value: String(parked.length), holds: parked.length === 0 },
    {
      name: 'pushes in peace',
      value: String(peace.pushesInPeace),
      holds: peace.pushesInPeace === 0,
    },
  ]
}

function differencesOf(system: System, living: readonly RecordDocument[]): readonly string[] {
  const rows = system.rows()
  return living.flatMap((record) => {
    const { externalId, theirs, held } = linkOf(record, system.connectionId)
    const row = rows.get(externalId ?? '')
    if (!row) return [`${system.name} has no row of ${record.id}`]
    const decoded = decode({ entityType, fields: [...system.fields] }, row)
    if (!decoded.ok) return [`${system.name} ${externalId ?? ''} cannot be read`]
    return system.fields
      .filter(({ local }) => !held[local])
      .filter(({ local, equality }) => {
        const ours = local in theirs ? theirs[local] : record.fields[local]
        return !isSame(decoded.fields[local], ours, equality)
      })
      .map(({ local }) => `${system.name} ${externalId ?? ''} ${local} differs from ${record.id}`)
  })
}

/** Rows that no living record has, or more than one. */
function straysOf(system: System, living: readonly RecordDocument[]): readonly string[] {
  const owners = new Map<string, number>()
  for (const record of living) {
    const { externalId } = linkOf(record, system.connectionId)
    if (externalId !== null) owners.set(externalId, (owners.get(externalId) ?? 0) + 1)
  }
  return [...system.rows().keys()]
    .filter((id) => owners.get(id) !== 1)
    .map((id) => `${system.name} ${id} has ${owners.get(id) ?? 0} records`)
}
