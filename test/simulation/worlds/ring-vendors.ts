import type { Mapping } from '../../../src/sync/mapping.ts'
import type { VendorOptions } from '../memory-vendor.ts'

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
    refusesPoison: true,
  },
]

export function mappingOf(connectionId: string): Mapping | undefined {
  return kinds.find(({ name }) => name === connectionId)?.mapping
}
