import { linkOf } from '../../../src/sync/draft.ts'
import { changeRecord } from '../../../src/sync/local-changes.ts'
import { redriveMany } from '../../../src/sync/parked.ts'
import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ConflictDocument, RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import { findConflict, resolveOpenConflict, type Choice } from '../../../src/sync/review.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import type { peopleOf } from '../people.ts'
import { chanceFrom } from '../random.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, pick, START_MS } from '../world.ts'
import { expected, TENANT } from './ring-people.ts'
import { ENTITY } from './ring-vendors.ts'
import type { Mood } from './ring-wire.ts'

const MINUTE_MS = 60_000

export interface Visited {
  readonly portsOf: (actor: Actor) => SyncPorts
  readonly shards: () => readonly ShardDocument[]
  readonly vendors: readonly MemoryVendor[]
  readonly people: ReturnType<typeof peopleOf>
}

/** A vendor that is down for minutes, or refuses every write, in some runs. */
export function playMoods(sim: Simulation, vendors: readonly MemoryVendor[]) {
  const { faults } = sim
  const moods = new Map<MemoryVendor, Mood>()
  const mood = pick<Mood>(faults, 'mood', ['works', 'down', 'refuses'])
  const vendor = vendors[between(faults, 'moody vendor', [0, vendors.length - 1])]
  const fromMs = START_MS + between(faults, 'mood from', [0, 40]) * MINUTE_MS
  const untilMs = fromMs + between(faults, 'mood for', [3, 25]) * MINUTE_MS
  if (vendor && mood !== 'works') {
    sim.act(fromMs, `act ${vendor.name} is ${mood}`, () => {
      moods.set(vendor, mood)
      sim.at(untilMs, () => moods.set(vendor, 'works'))
    })
  }
  return {
    moodOf: (one: MemoryVendor): Mood => moods.get(one) ?? 'works',
    /** When the trouble begins: most of what people do then is to be told later. */
    fromMs,
    untilMs,
  }
}

/** Every ten minutes an operator sends again some of what was refused, by the reason of its refusal. */
export function playOperators(sim: Simulation, { portsOf }: Pick<Visited, 'portsOf'>): void {
  const limit = between(sim.faults, 'redriven at a time', [2, 6])
  for (let index = 1; index <= 14; index += 1) {
    sim.at(START_MS + index * 10 * MINUTE_MS + 30_000, () =>
      sim.spawn({
        kind: 'operator',
        name: `operator ${index}`,
        work: async (actor) => {
          const filter = { kind: 'push', code: 'not_allowed', limit, dryRun: false } as const
          const { matched, sent, failed } = await redriveMany(portsOf(actor), TENANT, filter)
          if (matched > 0)
            sim.note(actor.name, `sends again ${sent} of ${matched}, ${failed.length} failed`)
        },
        ended: (end) => {
          if (end.kind === 'threw') expected(end.error)
        },
      }),
    )
  }
}

const fields = ['title', 'note', 'place'] as const

/** The same field is edited here and there within seconds. */
export function playDuels(sim: Simulation, visited: Visited): void {
  const { faults } = sim
  const count = between(faults, 'duels', [0, 4])
  for (let index = 0; index < count; index += 1) {
    const label = `duel ${index}`
    const chance = chanceOf(sim, label)
    const atMs = START_MS + (5 + chance.next() * 50) * MINUTE_MS
    sim.act(atMs, `act ${label}`, () => {
      const vendor = chance.pick(visited.vendors)
      const record = chance.pick(
        visited.shards().filter((one): one is RecordDocument => isLinked(one, vendor)),
      )
      if (!vendor || !record) return
      const field = chance.pick(fields) ?? 'title'
      const rowId = linkOf(record, vendor.name).externalId ?? ''
      sim.at(atMs + chance.next() * 8_000, () =>
        visited.people.edit(vendor, rowId, { local: field, chance }),
      )
      sim.at(atMs + chance.next() * 8_000, () =>
        visit(sim, { kind: 'person', name: `${label} here` }, async (actor) => {
          const value = `${label.replace(' ', '')} wrote this here`
          const key = { tenantId: TENANT, entityType: ENTITY, id: record.id }
          await changeRecord(visited.portsOf(actor), key, {
            by: 'local',
            fields: { [field]: value },
          })
        }),
      )
    })
  }
}

function isLinked(one: ShardDocument, vendor: MemoryVendor | undefined): boolean {
  return (
    one.kind === 'record' && vendor !== undefined && linkOf(one, vendor.name).externalId !== null
  )
}

const choices: readonly [Choice, ...Choice[]] = [
  { choice: 'local' },
  { choice: 'external' },
  { choice: 'value', value: 'the reviewer wrote this' },
]

/** Somebody looks at a conflict, thinks about it, and decides; meanwhile either side may move on. */
export function playReviewers(
  sim: Simulation,
  visited: Visited,
  {
    isBlind,
    seen,
  }: {
    readonly isBlind: boolean
    readonly seen: (actor: Actor, conflict: ConflictDocument) => void
  },
): void {
  const { faults } = sim
  const count = between(faults, 'reviewers', [0, 8])
  for (let index = 0; index < count; index += 1) {
    const label = `reviewer ${index}`
    const chance = chanceOf(sim, label)
    const atMs = START_MS + (20 + chance.next() * 90) * MINUTE_MS
    const thinksMs = chance.next() * 25 * MINUTE_MS
    sim.act(atMs, `act ${label}`, () => {
      const open = visited
        .shards()
        .filter((one): one is ConflictDocument => one.kind === 'conflict' && one.status === 'open')
      const conflict = chance.pick(open)
      if (!conflict) return
      const key = { tenantId: TENANT, entityType: ENTITY, id: conflict.id }
      const isText = conflict.field !== '' && conflict.field !== 'state'
      const choose = chance.pick(isText ? choices : choices.slice(0, 2))
      visit(sim, { kind: 'reviewer', name: label }, async (actor) => {
        const looked = await findConflict(visited.portsOf(actor), key)
        sim.at(atMs + thinksMs, () =>
          visit(sim, { kind: 'reviewer', name: `${label} decides` }, async (decider) => {
            seen(decider, looked.document)
            const etag = isBlind ? undefined : looked.etag
            const said = { by: label, etag, choose: choose ?? choices[0] }
            await resolveOpenConflict(visited.portsOf(decider), key, said).then(
              () => sim.note(decider.name, `decides ${said.choose.choice}`),
              (error: unknown) => {
                expected(error)
                sim.note(decider.name, `is refused: ${String(error)}`)
              },
            )
          }),
        )
      })
      moveOn(sim, visited, { conflict, chance, atMs: atMs + chance.next() * thinksMs })
    })
  }
}

/** Sometimes what is thought about changes there. */
function moveOn(
  sim: Simulation,
  { vendors, people, shards }: Visited,
  of: {
    readonly conflict: ConflictDocument
    readonly chance: ReturnType<typeof chanceOf>
    readonly atMs: number
  },
): void {
  const { conflict, chance, atMs } = of
  if (chance.is(0.5)) return
  sim.at(atMs, () => {
    const vendor = vendors.find(({ name }) => name === conflict.connectionId)
    const record = shards().find((one) => one.id === conflict.recordId)
    if (!vendor || record?.kind !== 'record') return
    const rowId = linkOf(record, vendor.name).externalId ?? ''
    people.edit(vendor, rowId, { local: conflict.field, chance })
  })
}

function visit(
  sim: Simulation,
  who: { readonly kind: string; readonly name: string },
  work: (actor: Actor) => Promise<void>,
): void {
  sim.spawn({ ...who, work: (actor) => work(actor).catch(expected) })
}

function chanceOf({ faults }: Simulation, label: string) {
  let numbers = 0
  return chanceFrom(() => faults.chance(`${label} ${(numbers += 1)}`))
}
