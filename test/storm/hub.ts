import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { Json, JsonObject } from '../../src/core/canonical-json.ts'
import type { RecordDocument } from '../../src/sync/record.ts'
import type { Chance } from '../simulation/random.ts'
import { entityType, type System, type Vendor } from './systems.ts'

const viewShape = z.object({
  id: z.string(),
  fields: z.record(z.string(), z.json()),
  deleted: z.unknown().nullable(),
})
const oneShape = z.object({ data: viewShape })
const listShape = z.object({ data: z.array(viewShape) })

export interface HubParts {
  /** Where the functions listen now: they are killed and come back elsewhere. */
  readonly url: () => string
  readonly token: () => Promise<string>
  readonly vendors: readonly Vendor[]
  readonly records: () => Promise<readonly RecordDocument[]>
}

interface Answer {
  readonly status: number
  readonly etag: string
  readonly body: unknown
}

const TRIES = 40
const WAIT_MS = 250
/** A caller that read the record before it changed reads it again. */
const STALE_TRIES = 10

/** People who work through the management API: they read a record, and change what they have read. */
export function hubSystem({ url, token, vendors, records }: HubParts): System {
  const history = new Set<string>()
  let bearer: Promise<string> | undefined
  const call = async (method: string, path: string, more: { body?: Json; etag?: string } = {}) => {
    const response = await fetch(`${url()}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await (bearer ??= token())}`,
        'content-type': 'application/json',
        ...(more.etag === undefined ? {} : { 'if-match': more.etag }),
      },
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
    })
    const text = await response.text()
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    return { status: response.status, etag: response.headers.get('etag') ?? '', body }
  }
  /** Reading can be repeated while the functions are down. */
  const read = async (path: string): Promise<Answer> => {
    for (let tries = 1; ; tries += 1) {
      const answer = await call('GET', path).catch(() => undefined)
      if (answer && answer.status < 500) return answer
      if (tries === TRIES) throw new Error(`nobody answers GET ${path}`)
      await delay(WAIT_MS)
    }
  }
  const seen = async (id: string) => {
    const answer = await read(`records/${id}?entityType=${entityType}`)
    const found = oneShape.safeParse(answer.body)
    if (answer.status !== 200 || !found.success || found.data.data.deleted !== null)
      return undefined
    return { etag: answer.etag, fields: found.data.data.fields }
  }
  /** Undefined: there is no such record (any more). False: nobody knows. */
  const change = async (method: string, id: string, body?: Json) => {
    for (let tries = 0; tries < STALE_TRIES; tries += 1) {
      const before = await seen(id)
      if (!before) return undefined
      const more = { etag: before.etag, ...(body === undefined ? {} : { body }) }
      const path = `records/${id}?entityType=${entityType}`
      const answer = await call(method, path, more).catch(() => undefined)
      if (!answer || answer.status >= 500) {
        // It may have been done to what we saw.
        remember(before.fields)
        return false
      }
      if (answer.status === 409) continue
      if (answer.status >= 400) throw new Error(`${method} ${path} answered ${answer.status}`)
      remember(before.fields)
      return true
    }
    return undefined
  }
  const remember = (fields: JsonObject) => {
    for (const value of Object.values(fields)) {
      if (typeof value === 'string') history.add(value.trim())
    }
  }
  const create = async (fields: JsonObject) => {
    const body = { entityType, fields }
    const answer = await call('POST', 'records', { body }).catch(() => undefined)
    return answer?.status === 201 ? oneShape.parse(answer.body).data.id : undefined
  }
  return {
    name: 'hub',
    history,
    create,
    recreate: (_id, fields) => create(fields),
    edit: async (id, fields) => (await change('PATCH', id, { fields })) ?? false,
    remove: async (id) => (await change('DELETE', id)) ?? false,
    pick: async (chance: Chance) => {
      const vendor = chance.pick(vendors)
      const externalId = await vendor?.pick(chance)
      if (!vendor || externalId === undefined) return undefined
      const { connectionId } = vendor
      const query = new URLSearchParams({ entityType, externalId, connectionId })
      const found = listShape.safeParse((await read(`records?${query.toString()}`)).body).data
        ?.data[0]
      return found && found.deleted === null ? found.id : undefined
    },
    rows: async () =>
      new Map(
        (await records())
          .filter(({ deleted }) => !deleted)
          .map(({ id, fields }) => [id, fields] as const),
      ),
  }
}
