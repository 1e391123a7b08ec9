import { z } from 'zod'
import type { JsonObject } from '../../core/canonical-json.ts'
import { originOf } from '../../sync/draft.ts'
import type { RecordDocument } from '../../sync/record.ts'
import type { Call } from './operation.ts'

export const entityType = z.string().min(1).max(100)
export const typed = z.object({ entityType })

export function keyOf({ caller, params }: Call, type: string) {
  return { tenantId: caller.tenantId, entityType: type, id: params['id'] ?? '' }
}

/** A record as an operator sees it, with each field's origin. */
export function viewOf(record: RecordDocument) {
  const { id, entityType: type, rev, fields: values, deleted, pending } = record
  const origins = Object.fromEntries(
    Object.keys(values).map((name) => {
      const { by, at } = originOf(record, name)
      return [name, { by, at }]
    }),
  )
  const links = Object.entries(record.links).map(([connectionId, link]) => ({
    connectionId,
    externalId: link.externalId,
    goneAt: link.goneAt ?? null,
    parked: link.parked ?? null,
    inReview: Object.keys(link.held),
  }))
  const { createdAt, updatedAt } = record
  return {
    id,
    entityType: type,
    rev,
    fields: values,
    origins,
    links,
    deleted,
    pending,
    createdAt,
    updatedAt,
  }
}

export const asJson = (value: unknown) => value as JsonObject // z.json() holds nothing else
