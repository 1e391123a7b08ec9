import type { Stored } from '../../../src/core/collection.ts'
import { calm, linkOf } from '../../../src/sync/draft.ts'
import type { RecordDocument, ShardDocument } from '../../../src/sync/record.ts'
import { PARENT } from './family-laws.ts'
import { inSource, type Plant, type SyncBug } from './plant.ts'

/** Whoever writes sees parents otherwise than they are. */
const inParents =
  (change: (parent: RecordDocument) => RecordDocument | undefined): Plant =>
  (ports, { kind }) => ({
    ...ports,
    shards: {
      ...ports.shards,
      getMany: async (partition, ids) => {
        const found = await ports.shards.getMany(partition, ids)
        if (kind !== 'outbound' || partition[1] !== PARENT) return found
        return found.flatMap((stored): Stored<ShardDocument>[] => {
          if (stored.document.kind !== 'record') return [stored]
          const document = change(stored.document)
          return document ? [{ ...stored, document }] : []
        })
      },
    },
  })

export const familyBugs: Readonly<Record<string, SyncBug>> = {
  'our-ids-there': {
    what: 'a field that names a record is written with our id of it',
    ports: inSource(({ mapping }) => ({
      mapping: {
        ...mapping,
        fields: mapping.fields.map((field) => ({ ...field, reference: undefined })),
      },
    })),
  },
  'waiting-is-failing': {
    what: 'each look for a parent that is not there yet costs the child a try',
    ports: inParents((parent) =>
      Object.values(parent.links).some(({ externalId }) => externalId === null) ||
      Object.keys(parent.links).length < 2
        ? undefined
        : parent,
    ),
  },
  'dead-parent-awaited': {
    what: 'a child waits for a parent that will never be there',
    ports: inParents((parent) => ({
      ...parent,
      links: Object.fromEntries(
        Object.keys(parent.links).map((name) => [name, calm(linkOf(parent, name))]),
      ),
    })),
  },
}
