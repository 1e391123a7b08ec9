import type { PageOutcome, PageRequest, Source, SyncPorts } from '../../../src/sync/ports.ts'
import { redriveMany } from '../../../src/sync/parked.ts'
import type { Task } from '../../../src/sync/task.ts'
import { linkOf } from '../../../src/sync/draft.ts'
import { memoryVendor, type MemoryVendor, type VendorRow } from '../memory-vendor.ts'
import { chanceFrom } from '../random.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, pick, START_MS, type Stage, type World } from '../world.ts'
import { censusBugs } from './census-bugs.ts'
import { censusLaws, DESK } from './census-laws.ts'
import type { SyncBug } from './plant.ts'
import { expected, TENANT } from './ring-people.ts'
import { ENTITY, kinds } from './ring-vendors.ts'
import { sourceOver } from './ring-wire.ts'
import { syncStage } from './sync-stage.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const FAULTS_MS = 3 * DAY_MS
const REST_MS = 13 * DAY_MS
const PAGE_SIZE = 20
/** The list of deleted rows reaches back so far. */
const LOG_MS = 7.5 * DAY_MS

/** Days of a vendor whose deletions are known by absence, whose lists are wrong at times, and who is left alone for a week. */
export const census: World = {
  name: 'census',
  summary:
    'a vendor that tells deletions by absence: lists that are empty or short, rows hidden from us, a week away',
  checks: [2, 3, 5, 6, 9],
  faultsMs: FAULTS_MS,
  restMs: REST_MS,
  bugs: Object.fromEntries(Object.entries(censusBugs).map(([name, { what }]) => [name, what])),
  setUp: async (sim, { bug: bugName }): Promise<Stage> => {
    const bug: SyncBug = censusBugs[bugName ?? ''] ?? { what: '' }
    const { faults } = sim
    const deletes = pick(faults, 'deletes', ['absent', 'absent', 'listed'] as const)
    const desk = vendorOf(sim, deskKind(deletes))
    const [snow] = kinds.map((kind) => vendorOf(sim, kind))
    const vendors = snow ? [desk, snow] : [desk]
    const hidden = new Set<string>()
    const laws = censusLaws(sim, {
      desk,
      vendors,
      isCapped: deletes === 'absent',
      isHidden: (id) => hidden.has(id),
    })
    // Of a row that we may not see the list of deleted rows still says that it is gone.
    const isLogged = (id: string) => deletes === 'listed' && desk.get(id)?.deleted !== false
    const pagesByTime = faults.chance('pages by time') < 0.15
    const isTied = () => pagesByTime && sim.now() < START_MS + DAY_MS
    if (pagesByTime) sim.note('world', 'the desk pages by time alone')
    const awayDays = faults.chance('away') < 0.6 ? between(faults, 'away for', [8, 9]) : 0
    const sleeps = {
      fromMs: START_MS + FAULTS_MS,
      untilMs: START_MS + FAULTS_MS + awayDays * DAY_MS,
    }
    const stage = syncStage(sim, {
      bug,
      laws,
      mappingOf: ({ connectionId }) =>
        vendors.find(({ name }) => name === connectionId)?.options.mapping,
      sourceOf: (actor, { connectionId }) => {
        const vendor = vendors.find(({ name }) => name === connectionId)
        if (!vendor) throw new Error(`no vendor ${connectionId}`)
        const source = sourceOver(sim, actor, { vendor })
        return vendor === desk ? censored(sim, actor, { source, hidden, isLogged, isTied }) : source
      },
      readLimits: { pageSize: PAGE_SIZE, sliceMs: 240_000, maxAttempts: 3 },
      pushLimits: { sliceMs: 240_000, maxAttempts: 10, leaseMs: 120_000 },
      timer: { everyMs: 12 * HOUR_MS, untilMs: START_MS + FAULTS_MS + REST_MS },
      asleep: (atMs) => atMs > sleeps.fromMs && atMs < sleeps.untilMs,
    })
    for (const { name } of vendors) {
      await stage.stores.tasks.backing.write([TENANT], [{ kind: 'create', document: taskOf(name) }])
    }
    const isRead = ({ id, time }: VendorRow) =>
      stage.stores.shards.all().some((one) => {
        const link = one.kind === 'record' ? linkOf(one, DESK) : undefined
        return link?.externalId === id && link.version !== null && link.version.time >= time
      })
    playDesk(sim, desk, { hidden, sleepsMs: sleeps.fromMs, isRead, isTied })
    playApprovals(sim, stage.portsOf)
    return {
      examine: () =>
        laws.examine({
          shards: stage.stores.shards.all(),
          parked: stage.stores.parked.all(),
          waiting: stage.waiting(),
        }),
    }
  },
}

type Kind = (typeof kinds)[number]

function deskKind(deletes: 'absent' | 'listed'): Kind {
  const text = { type: 'text' } as const
  return {
    name: DESK,
    mapping: {
      entityType: ENTITY,
      fields: [
        { local: 'title', external: 'subject', ...text },
        { local: 'note', external: 'body', ...text },
      ],
    },
    marker: 'correlation',
    comparesAndSets: true,
    answersRows: true,
    deletes,
    tellsIds: true,
    batchSize: 5,
    tellsMarkers: true,
  }
}

function vendorOf(sim: Simulation, kind: Kind): MemoryVendor {
  return memoryVendor({
    ...kind,
    clock: sim.date,
    chance: chanceOf(sim, kind.name),
    failures: { share: 0 },
  })
}

function chanceOf({ faults }: Simulation, label: string) {
  let numbers = 0
  return chanceFrom(() => faults.chance(`${label} ${(numbers += 1)}`))
}

function taskOf(name: string): Task {
  return {
    id: `task-${name}`,
    tenantId: TENANT,
    integrationId: name,
    connectionId: name,
    entityType: ENTITY,
    syncMode: 'bidirectional',
    priority: 'normal',
    status: 'pending',
    enabled: true,
    type: 'scheduled',
    schedule: '0 0 */12 * * *',
    nextScheduled: null,
    claim: null,
  }
}

/** The desk as we are let see it: rows hidden, ids left out or all of them, a log that forgets. */
function censored(
  sim: Simulation,
  actor: Actor,
  {
    source,
    hidden,
    isLogged,
    isTied,
  }: {
    readonly source: Source
    readonly isTied: () => boolean
    readonly hidden: ReadonlySet<string>
    readonly isLogged: (id: string) => boolean
  },
): Source {
  const { fetchIds, fetchDeleted, fetchOne, push } = source
  const lists = sim.now() < START_MS + FAULTS_MS ? sim.faults.chance(`${actor.name} lists`) : 1
  const one: typeof fetchOne = async (id, signal) =>
    hidden.has(id) && !isLogged(id)
      ? { kind: 'hidden' }
      : ((await fetchOne?.(id, signal)) ?? { kind: 'gone' })
  const forgottenMs = sim.now() - LOG_MS
  return {
    ...source,
    fetchOne: one,
    ...(push ? { push: { ...push, fetchOne: one } } : {}),
    fetchPage: async (request, signal) => {
      const page = await (isTied()
        ? tiedPage(source, request, signal)
        : source.fetchPage(request, signal))
      if (page.kind !== 'page') return page
      return { ...page, rows: page.rows.filter(({ externalId }) => !hidden.has(externalId)) }
    },
    ...(fetchIds
      ? {
          fetchIds: async (request, signal) => {
            const page = await fetchIds(request, signal)
            if (page.kind !== 'page') return page
            if (lists < 0.2) {
              sim.note(DESK, 'lists nothing')
              return { kind: 'page', ids: [], more: false }
            }
            const isShort = lists < 0.4
            if (isShort) sim.note(DESK, 'lists three of five')
            const ids = page.ids.filter(
              (id, index) => !hidden.has(id) && (!isShort || index % 5 < 3),
            )
            return { ...page, ids }
          },
        }
      : {}),
    ...(fetchDeleted
      ? {
          fetchDeleted: async (request, signal) => {
            const page = await fetchDeleted(request, signal)
            if (page.kind !== 'page') return page
            const rows = page.rows.filter(({ time }) => Date.parse(time) > forgottenMs)
            if (rows.length < page.rows.length) sim.note(DESK, 'has forgotten what was deleted')
            return { ...page, rows }
          },
        }
      : {}),
  }
}

/** A vendor that goes by the time alone: of rows that share one it gives the first, again and again. */
function tiedPage(source: Source, request: PageRequest, signal: AbortSignal): Promise<PageOutcome> {
  const after = request.after && { ...request.after, id: '' }
  return source.fetchPage({ after, skip: 0, limit: Math.min(request.limit, PAGE_SIZE) }, signal)
}

/** Rows from the beginning; some are deleted, at times many; a permission is taken away for a day. */
function playDesk(
  sim: Simulation,
  desk: MemoryVendor,
  {
    hidden,
    sleepsMs,
    isRead,
    isTied,
  }: {
    readonly isTied: () => boolean
    readonly hidden: Set<string>
    readonly sleepsMs: number
    readonly isRead: (row: VendorRow) => boolean
  },
): void {
  const { faults } = sim
  const write = (label: string) => ({ subject: `${label} wrote this`, body: `${label} says` })
  // All of one second, and where that matters more than a page of them.
  const rows = between(faults, 'rows', isTied() ? [21, 32] : [4, 30])
  for (let index = 0; index < rows; index += 1) desk.create(write(`row ${index}`))
  const remove = (label: string, count: number) => {
    const chance = chanceOf(sim, label)
    for (let index = 0; index < count; index += 1) {
      const row = chance.pick(desk.alive())
      if (row) desk.remove(row.id)
    }
    sim.note('world', `${label}: ${count} rows are deleted`)
  }
  const actions = between(faults, 'actions', [2, 8])
  for (let index = 0; index < actions; index += 1) {
    const label = `action ${index}`
    const chance = chanceOf(sim, label)
    sim.act(START_MS + chance.next() * FAULTS_MS, `act ${label}`, () => {
      const kind = chance.next()
      const row = chance.pick(desk.alive().filter(({ id }) => !hidden.has(id)))
      if (kind < 0.3) remove(label, 1 + chance.below(3))
      else if (kind < 0.45) remove(label, 11 + chance.below(15))
      else if (kind < 0.7 || !row) desk.create(write(label))
      else desk.edit(row.id, write(label))
    })
  }
  sim.act(sleepsMs + HOUR_MS, 'act last', () =>
    remove('last', 1 + between(faults, 'last', [0, 13])),
  )
  const takenMs = START_MS + (0.6 + faults.chance('permission') * 2.4) * DAY_MS
  if (faults.chance('is taken') < 0.5) {
    sim.act(takenMs, 'act permission', () => {
      sim.note('world', 'a permission is taken away')
      // What is hidden before it was read is found only when it changes again: nothing tells of it.
      for (const row of desk.alive()) {
        if (isRead(row) && faults.chance(`hides ${row.id}`) < 0.6) hidden.add(row.id)
      }
      sim.at(takenMs + DAY_MS, () => hidden.clear())
    })
  }
}

/** Somebody who approves whatever is held, unseen, and sends again what was refused. */
function playApprovals(sim: Simulation, portsOf: (actor: Actor) => SyncPorts): void {
  for (
    let index = 0;
    START_MS + index * 12 * HOUR_MS < START_MS + FAULTS_MS + REST_MS;
    index += 1
  ) {
    const atMs = START_MS + index * 12 * HOUR_MS + HOUR_MS
    if (atMs < START_MS + FAULTS_MS && sim.faults.chance(`approves ${index}`) < 0.5) continue
    sim.at(atMs, () =>
      sim.spawn({
        kind: 'operator',
        name: `operator ${index}`,
        work: async (actor) => {
          try {
            const { matched } = await redriveMany(portsOf(actor), TENANT, {
              limit: 20,
              dryRun: false,
            })
            if (matched > 0) sim.note(actor.name, `approves ${matched}`)
          } catch (error) {
            expected(error)
          }
        },
      }),
    )
  }
}
