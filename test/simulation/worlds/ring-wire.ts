import type { JsonObject } from '../../../src/core/canonical-json.ts'
import type {
  FoundByMarker,
  FoundOne,
  IdPage,
  PageOutcome,
  PushAbilities,
  Source,
  VendorProblem,
  VendorWrite,
  WriteOutcome,
} from '../../../src/sync/ports.ts'
import type { Fault } from '../faults.ts'
import type { MemoryVendor, VendorRow } from '../memory-vendor.ts'
import type { Actor, Simulation } from '../simulation.ts'

/** What a vendor does at an instant with everything that it is asked. */
export type Mood = 'works' | 'down' | 'refuses'

/** A write as the vendor gets it. */
export interface Written {
  readonly actor: Actor
  readonly vendor: MemoryVendor
  readonly write: VendorWrite
  /** The row until then. */
  readonly before: VendorRow | undefined
  /** The row's values as the actor has read them last. */
  readonly read: JsonObject | undefined
}

export interface Surroundings {
  readonly moodOf?: (vendor: MemoryVendor) => Mood
  readonly writing?: (written: Written) => void
}

/** No vendor that has a rule about texts takes it. */
export const POISON = 'poison'

/** The client gives up a call after so long (src/connectors/client.ts). */
const LONGEST_CALL_MS = 30_000

/** The vendor as a worker reaches it: over a wire, with answers that are late, bad or lost. */
export function sourceOver(
  sim: Simulation,
  actor: Actor,
  {
    vendor,
    moodOf = () => 'works',
    writing = () => {},
  }: Surroundings & { readonly vendor: MemoryVendor },
): Source {
  const { source, name } = vendor
  const { push, fetchOne, fetchDeleted, fetchIds } = source
  const reads = new Map<string, JsonObject>()
  const ask = <R>(
    site: string,
    work: () => Promise<R>,
    spoilt: (problem: VendorProblem, fault: Fault | undefined) => R | Promise<R>,
  ): Promise<R> =>
    sim.call(actor, `${name}.${site}`, {
      place: 'vendor call',
      longestMs: LONGEST_CALL_MS,
      failure: () => new Error('never'),
      effect: (fault) => {
        if (moodOf(vendor) === 'down') return spoilt(isDown, undefined)
        if (fault?.kind !== 'vendor-trouble') return work()
        sim.note(name, `does not answer ${actor.name}`)
        return spoilt(trouble(fault), fault)
      },
    })
  const problem = (what: VendorProblem) => what
  const remember = <R extends PageOutcome | FoundOne | FoundByMarker>(found: R): R => {
    const rows =
      found.kind === 'row' ? [found.row] : 'rows' in found ? [...found.rows.values()] : []
    for (const { externalId, values } of rows) reads.set(externalId, values)
    return found
  }
  const one = (id: string, signal: AbortSignal) =>
    ask<FoundOne>('fetchOne', async () => remember((await fetchOne?.(id, signal)) ?? gone), problem)
  const take = async (write: VendorWrite, to: PushAbilities, signal: AbortSignal) => {
    const { operation, externalId, marker, values } = write
    const row = externalId ?? `new ${marker.slice(-6)}`
    if (refuses(write)) {
      sim.note(actor.name, `${name} refuses to ${operation} ${row}`)
      return refusal(write)
    }
    sim.note(actor.name, `${name} ${operation} ${row} ${JSON.stringify(values)}`)
    const [before, read] = [vendor.get(externalId ?? ''), reads.get(externalId ?? '')]
    const [outcome = lost] = await to.write([write], signal)
    if (outcome.kind === 'conflict') sim.note(name, `says that ${row} is another by now`)
    else writing({ actor, vendor, write, before, read })
    return outcome
  }
  const refuses = ({ operation, values }: VendorWrite) =>
    operation !== 'delete' &&
    (moodOf(vendor) === 'refuses' ||
      (vendor.options.refusesPoison === true && JSON.stringify(values).includes(POISON)))
  const refusal = ({ values }: VendorWrite): WriteOutcome =>
    JSON.stringify(values).includes(POISON)
      ? { kind: 'rejected', code: 'bad_value', reason: 'a text that it does not take' }
      : { kind: 'rejected', code: 'not_allowed', reason: 'it lets nobody write for now' }
  const perform = async (
    to: PushAbilities,
    writes: readonly VendorWrite[],
    signal: AbortSignal,
  ) => {
    const outcomes: WriteOutcome[] = []
    for (const write of writes) outcomes.push(await take(write, to, signal))
    return outcomes
  }
  return {
    ...source,
    fetchPage: (request, signal) =>
      ask<PageOutcome>(
        'fetchPage',
        async () => remember(await source.fetchPage(request, signal)),
        problem,
      ),
    fetchOne: one,
    ...(fetchDeleted
      ? {
          fetchDeleted: (request, signal) =>
            ask('fetchDeleted', () => fetchDeleted(request, signal), problem),
        }
      : {}),
    ...(fetchIds
      ? {
          fetchIds: (request, signal) =>
            ask<IdPage>('fetchIds', () => fetchIds(request, signal), problem),
        }
      : {}),
    ...(push ? { push: pushOver(push) } : {}),
  }

  function pushOver(to: PushAbilities): PushAbilities {
    const { fetchMany } = to
    return {
      ...to,
      fetchOne: one,
      ...(fetchMany
        ? {
            fetchMany: (ids, signal) =>
              ask<FoundByMarker>(
                'fetchMany',
                async () => remember(await fetchMany(ids, signal)),
                problem,
              ),
          }
        : {}),
      findByMarker: (markers, signal) =>
        ask<FoundByMarker>(
          'findByMarker',
          async () => remember(await to.findByMarker(markers, signal)),
          problem,
        ),
      write: (writes, signal) =>
        ask<readonly WriteOutcome[]>(
          'write',
          () => perform(to, writes, signal),
          (what, fault) =>
            fault
              ? spoiltWrite(fault, writes, (some) => perform(to, some, signal))
              : writes.map(() => what),
        ),
    }
  }
}

const isDown: VendorProblem = { kind: 'retry', reason: 'it is down' }
const lost: WriteOutcome = { kind: 'unknown', reason: 'the answer was lost' }
const gone: FoundOne = { kind: 'gone' }

function trouble({ size }: Fault): VendorProblem {
  return size < 0.4
    ? {
        kind: 'retry',
        reason: 'too many calls',
        afterMs: Math.round(size * 600_000),
        limited: true,
      }
    : { kind: 'retry', reason: `it is overloaded ${Math.round(size * 100)}` }
}

/** Nothing is done; or all of it and the answer is lost; or the rows fare differently. */
async function spoiltWrite(
  fault: Fault,
  writes: readonly VendorWrite[],
  perform: (writes: readonly VendorWrite[]) => Promise<readonly WriteOutcome[]>,
): Promise<readonly WriteOutcome[]> {
  const { size } = fault
  if (size < 0.3) return writes.map(() => trouble(fault))
  if (size < 0.6) {
    await perform(writes)
    return writes.map(() => lost)
  }
  const outcomes: WriteOutcome[] = []
  for (const [index, write] of writes.entries()) {
    const fate = (size * 7 + index * 0.37) % 1
    if (fate < 0.4) outcomes.push({ kind: 'retry', reason: `the row is locked ${index}` })
    else {
      const [outcome = lost] = await perform([write])
      outcomes.push(fate < 0.7 ? lost : outcome)
    }
  }
  return outcomes
}
