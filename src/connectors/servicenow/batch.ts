import type { Json } from '../../core/canonical-json.ts'
import type { VendorCall } from '../client.ts'
import { isObject, listOf, textAt } from '../json.ts'
import type { Signs } from '../outcome.ts'
import { urlOf } from './row.ts'

/** Body of `POST /api/now/v1/batch` (Batch API): bodies are base64, ids go out as texts and come back as texts. */
export function batchOf(calls: readonly Omit<VendorCall, 'headers'>[]): Json {
  return {
    batch_request_id: '1',
    rest_requests: calls.map((call, index) => ({
      id: String(index),
      method: call.method,
      url: urlOf(call),
      headers: [
        { name: 'Accept', value: 'application/json' },
        { name: 'Content-Type', value: 'application/json' },
      ],
      ...(call.body && 'json' in call.body
        ? { body: Buffer.from(JSON.stringify(call.body.json)).toString('base64') }
        : {}),
    })),
  }
}

export type BatchItem =
  | ({ readonly kind: 'answer' } & Signs)
  /** The time of the batch was used up before. */
  | { readonly kind: 'unserviced' }
  /** The answer does not mention it. */
  | { readonly kind: 'missing' }

/** What became of each call of a batch, in their order; undefined when the answer is not that of a batch. */
export function itemsOf(body: Json | undefined, count: number): BatchItem[] | undefined {
  const serviced = listOf(isObject(body) ? body['serviced_requests'] : undefined)
  const unserviced = listOf(isObject(body) ? body['unserviced_requests'] : undefined) ?? []
  if (!serviced) return undefined
  const byId = new Map(serviced.flatMap((item) => (isObject(item) ? [[idOf(item), item]] : [])))
  const left = new Set(unserviced.map(idOf))
  return Array.from({ length: count }, (_, index): BatchItem => {
    const item = byId.get(String(index))
    if (item) return { kind: 'answer', ...signsOf(item) }
    return { kind: left.has(String(index)) ? 'unserviced' : 'missing' }
  })
}

function idOf(item: Json): string {
  const id = isObject(item) ? item['id'] : item
  return typeof id === 'string' || typeof id === 'number' ? String(id) : ''
}

function signsOf(item: Json): Signs {
  const status = isObject(item) ? Number(item['status_code']) : Number.NaN
  const headers = new Headers()
  for (const header of listOf(isObject(item) ? item['headers'] : undefined) ?? []) {
    const [name, value] = [textAt(header, 'name'), textAt(header, 'value')]
    if (name && value !== undefined && /^[\w-]+$/.test(name)) headers.set(name, value)
  }
  return { status, headers, body: jsonOf(textAt(item, 'body') ?? '') }
}

function jsonOf(base64: string): Json | undefined {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString()) as Json // JSON text holds nothing else
  } catch {
    return undefined
  }
}
