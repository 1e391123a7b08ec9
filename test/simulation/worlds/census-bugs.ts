import { compareCursors } from '../../../src/sync/cursor.ts'
import type { Source } from '../../../src/sync/ports.ts'
import { inSource, inTasks, type Plant, type SyncBug } from './plant.ts'

const withoutIds: Plant = (ports) => ({
  ...ports,
  openSource: async (task) => {
    const source = await ports.openSource(task)
    if (source.kind !== 'source' || !source.fetchDeleted) return source
    const { fetchIds: _, ...rest }: Source = source
    return rest
  },
})

export const censusBugs: Readonly<Record<string, SyncBug>> = {
  'absence-is-proof': {
    what: 'a row that is missing from a list is taken for deleted, and not looked for',
    ports: inSource(() => ({ fetchOne: async () => ({ kind: 'gone' }) })),
  },
  'hidden-is-gone': {
    what: 'a row that we may not see any more is taken for deleted',
    ports: inSource(({ fetchOne }) => ({
      fetchOne: async (id, signal) => {
        const found = await fetchOne?.(id, signal)
        return !found || found.kind === 'hidden' ? { kind: 'gone' } : found
      },
    })),
  },
  'all-approved': {
    what: 'nobody is asked, however many rows are missing',
    ports: inTasks((task) => ({ ...task, deletesApproved: true })),
  },
  'stall-is-the-end': {
    what: 'a page that brings nothing new is taken for the last',
    ports: inSource((source) => ({
      fetchPage: async (request, signal) => {
        const page = await source.fetchPage(request, signal)
        if (page.kind !== 'page' || request.after === null) return page
        const { after } = request
        const isNews = page.rows.some(({ cursor }) => compareCursors(cursor, after) > 0)
        return { ...page, more: page.more && isNews }
      },
    })),
  },
  'log-is-all': {
    what: 'what the list of deleted rows has forgotten is never looked for',
    ports: withoutIds,
  },
  'held-forgotten': {
    what: 'deletions that are held are on no list: nobody can approve them',
    ports: (ports) => ({
      ...ports,
      parked: {
        ...ports.parked,
        write: async (partition, writes) =>
          writes.some(({ document }) => document.kind === 'deletes')
            ? { committed: true, etags: writes.map(() => '') }
            : ports.parked.write(partition, writes),
      },
    }),
  },
}
