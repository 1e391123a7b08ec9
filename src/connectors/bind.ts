import type { VendorClient } from './client.ts'
import type { DeletedPage, IdPage, PushAbilities, Stream, VendorPage } from './connector.ts'

/** A function without its first parameter. */
type Bound<F> = F extends (client: VendorClient, ...rest: infer R) => infer A
  ? (...rest: R) => A
  : F

export interface BoundStream {
  readonly mapping: Stream['mapping']
  readonly overlapMs: number
  readonly fetchPage: (...request: Parameters<Bound<Stream['fetchPage']>>) => Promise<VendorPage>
  readonly fetchDeleted?: (
    ...request: Parameters<Bound<NonNullable<Stream['fetchDeleted']>>>
  ) => Promise<DeletedPage>
  readonly fetchIds?: (
    ...request: Parameters<Bound<NonNullable<Stream['fetchIds']>>>
  ) => Promise<IdPage>
  readonly push?: BoundPush
}

type BoundPush = { readonly [K in keyof PushAbilities]: Bound<PushAbilities[K]> }

/** The stream at one instance: everything that it offers, with the client already given. */
export function bindStream(stream: Stream, client: VendorClient): BoundStream {
  const { mapping, overlapMs, fetchPage, fetchDeleted, fetchIds, push } = stream
  return {
    mapping,
    overlapMs,
    fetchPage: (request, signal) => fetchPage(client, request, signal),
    ...(fetchDeleted
      ? { fetchDeleted: (request, signal) => fetchDeleted(client, request, signal) }
      : {}),
    ...(fetchIds ? { fetchIds: (request, signal) => fetchIds(client, request, signal) } : {}),
    ...(push ? { push: bindPush(push, client) } : {}),
  }
}

function bindPush(push: PushAbilities, client: VendorClient): BoundPush {
  const { fetchMany, ...rest } = push
  return {
    ...rest,
    write: (writes, signal) => push.write(client, writes, signal),
    fetchOne: (id, signal) => push.fetchOne(client, id, signal),
    ...(fetchMany ? { fetchMany: (ids, signal) => fetchMany(client, ids, signal) } : {}),
    findByMarker: (markers, signal) => push.findByMarker(client, markers, signal),
  }
}
