import type {
  FoundByMarker,
  FoundOne,
  Source,
  VendorProblem,
  VendorWrite,
  WriteOutcome,
} from '../../../src/sync/ports.ts'
import type { Mapping } from '../../../src/sync/mapping.ts'
import type { Fault } from '../faults.ts'
import type { MemoryVendor, VendorOptions } from '../memory-vendor.ts'
import type { Actor, Simulation } from '../simulation.ts'

export const ENTITY = 'incident'

const text = { type: 'text' } as const

type Kind = Omit<VendorOptions, 'clock' | 'chance' | 'failures'>

/** Three systems with the names, the forms and the abilities of three vendors. */
export const kinds: readonly Kind[] = [
  {
    name: 'snow',
    mapping: {
      entityType: ENTITY,
      fields: [
        { local: 'title', external: 'short_description', ...text },
        { local: 'state', external: 'state', type: 'integer' },
        { local: 'note', external: 'comments', ...text },
        { local: 'place', external: 'location', ...text },
      ],
    },
    marker: 'correlation',
    comparesAndSets: false,
    answersRows: true,
    deletes: 'listed',
    batchSize: 3,
    tellsMarkers: true,
  },
  {
    name: 'force',
    mapping: {
      entityType: ENTITY,
      fields: [
        { local: 'title', external: 'Subject', ...text, equality: { trim: true } },
        {
          local: 'state',
          external: 'Status',
          type: 'integer',
          values: [
            ['New', 1],
            ['Working', 2],
            ['Closed', 3],
          ],
        },
        { local: 'note', external: 'Description', ...text, equality: { length: 12 } },
      ],
    },
    marker: 'external_id',
    comparesAndSets: true,
    answersRows: false,
    deletes: 'in_stream',
    batchSize: 20,
    tellsMarkers: true,
    normalise: (field, value) => {
      if (typeof value !== 'string') return value
      if (field === 'Subject') return value.trim()
      return field === 'Description' ? value.slice(0, 12) : value
    },
  },
  {
    name: 'hub',
    mapping: {
      entityType: ENTITY,
      fields: [
        { local: 'title', external: 'title', ...text },
        { local: 'note', external: 'body', ...text },
        { local: 'place', external: 'place', ...text, transforms: ['trim'] },
      ],
    },
    marker: 'correlation',
    comparesAndSets: true,
    answersRows: true,
    deletes: 'listed',
    batchSize: 1,
    tellsMarkers: true,
  },
]

export function mappingOf(connectionId: string): Mapping | undefined {
  return kinds.find(({ name }) => name === connectionId)?.mapping
}

/** The client gives up a call after so long (src/connectors/client.ts). */
const LONGEST_CALL_MS = 30_000

/** The vendor as a worker reaches it: over a wire, with answers that are late, bad or lost. */
export function sourceOver(sim: Simulation, actor: Actor, { source, name }: MemoryVendor): Source {
  const { push, fetchOne, fetchDeleted } = source
  const ask = <R>(
    site: string,
    work: () => Promise<R>,
    spoilt: (fault: Fault) => R | Promise<R>,
  ): Promise<R> =>
    sim.call(actor, `${name}.${site}`, {
      place: 'vendor call',
      longestMs: LONGEST_CALL_MS,
      failure: () => new Error('never'),
      effect: (fault) => (fault?.kind === 'vendor-trouble' ? spoilt(fault) : work()),
    })
  const one = (id: string, signal: AbortSignal) =>
    ask<FoundOne>('fetchOne', async () => (await fetchOne?.(id, signal)) ?? gone, problemOf)
  const perform = (writes: readonly VendorWrite[], signal: AbortSignal) => {
    for (const { operation, externalId, marker, values } of writes) {
      const row = externalId ?? `new ${marker.slice(-6)}`
      sim.note(actor.name, `${name} ${operation} ${row} ${JSON.stringify(values)}`)
    }
    return push ? push.write(writes, signal) : Promise.resolve([])
  }
  return {
    ...source,
    fetchPage: (request, signal) =>
      ask('fetchPage', () => source.fetchPage(request, signal), problemOf),
    fetchOne: one,
    ...(fetchDeleted
      ? {
          fetchDeleted: (request, signal) =>
            ask('fetchDeleted', () => fetchDeleted(request, signal), problemOf),
        }
      : {}),
    ...(push
      ? {
          push: {
            ...push,
            fetchOne: one,
            findByMarker: (markers, signal) =>
              ask<FoundByMarker>(
                'findByMarker',
                () => push.findByMarker(markers, signal),
                problemOf,
              ),
            write: (writes, signal) =>
              ask<readonly WriteOutcome[]>(
                'write',
                () => perform(writes, signal),
                (fault) => spoiltWrite(fault, writes, (some) => perform(some, signal)),
              ),
          },
        }
      : {}),
  }
  function problemOf(fault: Fault): VendorProblem {
    sim.note(name, `does not answer ${actor.name}`)
    return trouble(fault)
  }
}

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
  const lost: WriteOutcome = { kind: 'unknown', reason: 'the answer was lost' }
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
