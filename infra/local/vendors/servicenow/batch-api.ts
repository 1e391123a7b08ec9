import { z } from 'zod'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import { failure, parseJson } from './answers.ts'

const headerShape = z.object({ name: z.string(), value: z.string() })
const itemShape = z.object({
  id: z.coerce.string(),
  method: z.string().default('GET'),
  url: z.string(),
  headers: z.array(headerShape).default([]),
  body: z.string().optional(),
  exclude_response_headers: z.boolean().default(false),
})
const batchShape = z.object({
  batch_request_id: z.coerce.string(),
  rest_requests: z.array(itemShape),
})
type Item = z.infer<typeof itemShape>

/** Runs one request of the batch as if it had come by itself, with the caller's authorisation. */
export type RunItem = (request: LocalRequest) => LocalResponse

export interface BatchQuota {
  /** Items served before the quota of 30 s is used up; the rest come back as unserviced. */
  take(items: number): number
}

/** `POST /api/now/v1/batch` (facts A3). The outer 200 says nothing about the items. */
export function answerBatch(request: LocalRequest, quota: BatchQuota, run: RunItem): LocalResponse {
  const parsed = batchShape.safeParse(parseJson(request.body))
  if (!parsed.success)
    return failure(500, 'Exception while reading request', z.prettifyError(parsed.error))
  const { batch_request_id, rest_requests } = parsed.data
  const served = quota.take(rest_requests.length)
  const body = {
    batch_request_id,
    serviced_requests: rest_requests
      .slice(0, served)
      .map((item) => serve(item, run(toRequest(item, request)))),
    unserviced_requests: rest_requests.slice(served).map(({ id }) => id),
  }
  return { status: 200, body }
}

function toRequest(item: Item, outer: LocalRequest): LocalRequest {
  const given = item.headers.map(({ name, value }) => [name.toLowerCase(), value])
  const { authorization, accept } = outer.headers
  return {
    method: item.method,
    url: new URL(item.url, outer.url.origin),
    headers: {
      ...(authorization ? { authorization } : {}),
      ...(accept ? { accept } : {}),
      ...Object.fromEntries(given),
    },
    body: Buffer.from(item.body ?? '', 'base64'),
  }
}

function serve(item: Item, response: LocalResponse): Record<string, unknown> {
  const { status, headers = {}, body = '' } = response
  const text = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body
  const names = Object.entries(headers).map(([name, value]) => ({ name, value }))
  return {
    id: item.id,
    status_code: status,
    status_text: STATUS_TEXTS[status] ?? '',
    ...(item.exclude_response_headers ? {} : { headers: names }),
    body: Buffer.from(text).toString('base64'),
    execution_time: 1,
  }
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
}
