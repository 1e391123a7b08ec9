import type { QueueDeclaration } from '../../../infra/local/service-bus/declaration.ts'
import type { Source, SyncPorts } from '../../../src/sync/ports.ts'
import type { InboundMessage } from '../../../src/sync/task.ts'
import type { Actor } from '../simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface InboundBug {
  readonly what: string
  readonly queue?: Partial<QueueDeclaration>
  readonly ports?: (ports: SyncPorts, actor: Actor) => SyncPorts
  readonly defer?: (message: InboundMessage) => Promise<boolean>
}

export const inSource =
  (change: (source: Source, actor: Actor) => Partial<Source>): NonNullable<InboundBug['ports']> =>
  (ports, actor) => ({
    ...ports,
    openSource: async (task) => {
      const source = await ports.openSource(task)
      return source.kind === 'source' ? { ...source, ...change(source, actor) } : source
    },
  })

/** What is wrong about a field that changes its form, about pages that hold fewer rows than asked, and about news. */
export const inboundFormBugs: Readonly<Record<string, InboundBug>> = {
  'missing-is-empty': {
    what: 'a field that the vendor does not give is taken to be empty',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page') return page
        const rows = page.rows.map((row) => ({
          ...row,
          values: { severity: null, ...row.values },
        }))
        return { ...page, rows }
      },
    })),
  },
  'retyped-is-taken': {
    what: 'a value that does not fit its type is taken as it can be',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page') return page
        const rows = page.rows.map((row) => {
          const { severity } = row.values
          const odd = severity !== undefined && Number.isNaN(Number(severity))
          return odd ? { ...row, values: { ...row.values, severity: 0 } } : row
        })
        return { ...page, rows }
      },
    })),
  },
  'missing-untold': {
    what: 'the result of a run says nothing of a field that no row had',
    ports: (ports) => ({
      ...ports,
      results: {
        ...ports.results,
        write: (partition, writes) =>
          ports.results.write(
            partition,
            writes.map((one) => {
              const { fieldsMissing: _, ...rest } = { fieldsMissing: [], ...one.document }
              return { ...one, document: rest }
            }),
          ),
      },
    }),
  },
  'first-pull-first': {
    what: 'what is read for the first time stands before what is new',
    ports: (ports) => ({
      ...ports,
      openSource: (task) => ports.openSource({ ...task, priority: 'high' }),
    }),
  },
  'news-as-runs': {
    what: 'what the vendor tells at once is asked for as a run’s rows are',
    ports: (ports) => ({
      ...ports,
      openSource: (task) => ports.openSource({ ...task, type: 'scheduled' }),
    }),
  },
  'news-wait': {
    what: 'what the vendor tells at once waits until the quota of others is over',
    ports: inSource(({ fetchOne }, { clock }) => ({
      fetchOne: async (id, signal) => {
        const minutesLeft = 15 - (clock().getUTCMinutes() % 20)
        if (minutesLeft > 0) {
          const afterMs = minutesLeft * 60_000
          return { kind: 'retry', reason: 'others first', afterMs, limited: true }
        }
        return (await fetchOne?.(id, signal)) ?? { kind: 'gone' }
      },
    })),
  },
  'redriven-dropped': {
    what: 'a row that is sent again leaves the list, and its message is lost',
    ports: (ports, actor) =>
      actor.kind === 'operator'
        ? { ...ports, inbound: { ...ports.inbound, send: async () => {} } }
        : ports,
  },
}
