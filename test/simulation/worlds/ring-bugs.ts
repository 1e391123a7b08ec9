import type { SyncPorts } from '../../../src/sync/ports.ts'
import type { ShardDocument } from '../../../src/sync/record.ts'
import type { Actor } from '../simulation.ts'
import { ringLifeBugs } from './ring-life-bugs.ts'
import { inPush, inSource, inWrites, type Plant, type SyncBug } from './plant.ts'

const blind = (kind: ShardDocument['kind']): Plant =>
  inWrites((writes) =>
    writes.map((one) =>
      one.document.kind === kind ? { kind: 'upsert', document: one.document } : one,
    ),
  )

/** What comes back so soon after we wrote is taken for our own. */
const ECHO_MS = 15 * 60_000

export const ringBugs: Readonly<Record<string, SyncBug>> = {
  ...ringLifeBugs,
  'echo-by-time': {
    what: 'what changes there soon after we wrote is taken for our own write',
    ports: (ports, actor) => {
      const fetchAfter = inSource((source) => ({
        fetchPage: async (request, signal) => {
          const page = await source.fetchPage(request, signal)
          if (page.kind !== 'page') return page
          const pushed = await pushesOf(ports, actor)
          const isEcho = (externalId: string, time: string) =>
            pushed.some(
              (one) => one.externalId === externalId && Date.parse(time) - one.atMs < ECHO_MS,
            )
          return {
            ...page,
            rows: page.rows.map((row) =>
              isEcho(row.externalId, row.version.time)
                ? { ...row, version: { time: '', count: 0 } }
                : row,
            ),
          }
        },
      }))
      return fetchAfter(ports, actor)
    },
  },
  'echo-unknown': {
    what: 'what we wrote is not remembered as agreed: it comes back as a change of theirs',
    ports: inWrites((writes, { kind }) =>
      writes.map((one) => {
        const { document } = one
        if (kind !== 'outbound' || document.kind !== 'record') return one
        const links = Object.fromEntries(
          Object.entries(document.links).map(([id, link]) => [
            id,
            { ...link, base: {}, theirs: {} },
          ]),
        )
        return { ...one, document: { ...document, links } }
      }),
    ),
  },
  'no-marker-lookup': {
    what: 'a create whose answer was lost is sent again without looking for its marker',
    ports: inPush(() => ({ findByMarker: async () => ({ kind: 'found', rows: new Map() }) })),
  },
  'random-markers': {
    what: 'every try of a create has a marker of its own',
    ports: (ports, actor) =>
      inPush((push) => ({
        write: (writes, signal) =>
          push.write(
            writes.map((one) => ({ ...one, marker: `rec-${String(actor.random()).slice(2)}` })),
            signal,
          ),
      }))(ports, actor),
  },
  'blind-push': {
    what: 'rows are written over whatever is there: no version is compared, nothing is read before',
    ports: inPush((push) => ({
      comparesAndSets: true,
      write: (writes, signal) =>
        push.write(
          writes.map(({ operation, externalId, marker, values }) => ({
            operation,
            marker,
            values,
            ...(externalId === undefined ? {} : { externalId }),
          })),
          signal,
        ),
    })),
  },
  'unknown-is-done': {
    what: 'a write without an answer is taken for done',
    ports: inPush((push) => ({
      write: async (writes, signal) => {
        const outcomes = await push.write(writes, signal)
        return outcomes.map((outcome, index) => {
          const { externalId } = writes[index] ?? {}
          const unsure = outcome.kind === 'unknown' || outcome.kind === 'retry'
          return unsure && externalId !== undefined ? { kind: 'done', externalId } : outcome
        })
      },
    })),
  },
  'unknown-is-refused': {
    what: 'a write without an answer is given up',
    ports: inPush((push) => ({
      write: async (writes, signal) => {
        const outcomes = await push.write(writes, signal)
        return outcomes.map((outcome) =>
          outcome.kind === 'unknown'
            ? { kind: 'rejected', code: 'timeout', reason: outcome.reason }
            : outcome,
        )
      },
    })),
  },
  'unfenced-push': {
    what: 'the right to write is renewed whatever became of it',
    ports: blind('pusher'),
  },
  'push-without-lease': {
    what: 'what a push brought about is stored apart from the right to write',
    ports: (ports, actor) =>
      inWrites((writes) => {
        const rest = writes.filter(({ document }) => document.kind !== 'pusher')
        return actor.kind === 'outbound' && rest.length > 0 ? rest : [...writes]
      })(ports, actor),
  },
  'blind-records': {
    what: 'records are written whatever somebody else has put there',
    ports: blind('record'),
  },
  'conflicts-dropped': {
    what: 'the value that loses is not kept',
    ports: inWrites((writes) => writes.filter(({ document }) => document.kind !== 'conflict')),
  },
  'outbox-forgotten': {
    what: 'records are stored without the list of who is still to be told',
    ports: inWrites((writes, { kind }) =>
      writes.map((one) =>
        kind === 'inbound' && one.document.kind === 'record'
          ? { ...one, document: { ...one.document, pending: [] } }
          : one,
      ),
    ),
  },
  'no-relay': {
    what: 'outboxes are never swept: a message that was lost stays lost',
    noRelay: true,
  },
  'deletes-unheard': {
    what: 'the list of deleted rows is never read',
    ports: inSource((source) =>
      source.fetchDeleted
        ? { fetchDeleted: async () => ({ kind: 'page', rows: [], more: false }) }
        : {},
    ),
  },
  'gone-is-created': {
    what: 'a row that is gone is created anew without a word',
    ports: inPush((push) => ({
      fetchOne: async (id, signal) => {
        const found = await push.fetchOne(id, signal)
        if (found.kind !== 'gone') return found
        const row = {
          externalId: id,
          values: {},
          cursor: { time: '', id },
          version: { time: '', count: 0 },
        }
        return { kind: 'row', row }
      },
    })),
  },
  'throw-to-retry': {
    what: 'a passing failure gives the message back instead of sending a later copy',
    defer: async () => false,
  },
  'older-over-newer': {
    what: 'a row that was read before a newer one was stored is applied after it',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page') return page
        const newest = { time: '2027-01-01T00:00:00.000Z' }
        return {
          ...page,
          rows: page.rows.map((row) => ({ ...row, version: { ...row.version, ...newest } })),
        }
      },
    })),
  },
}

async function pushesOf({ shards }: SyncPorts, { clock }: Actor) {
  const pushed: { externalId: string | null; atMs: number }[] = []
  const records = { field: 'kind', is: '=', value: 'record' } as const
  for await (const { document } of shards.query({ anyOf: [[records]] })) {
    if (document.kind !== 'record') continue
    const atMs = Date.parse(document.updatedAt)
    if (clock().getTime() - atMs > 2 * ECHO_MS) continue
    for (const { externalId } of Object.values(document.links)) pushed.push({ externalId, atMs })
  }
  return pushed
}
