import { z } from 'zod'
import { demo } from '../../infra/local/demo.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import type { Running } from './running.ts'

const envelope = z.looseObject({
  success: z.boolean(),
  data: z.unknown().optional(),
  error: z
    .looseObject({
      code: z.string(),
      message: z.string(),
      details: z.array(z.string()).optional(),
    })
    .optional(),
  pagination: z.looseObject({ limit: z.number(), nextCursor: z.string().optional() }).optional(),
})

/** Calls the management API over HTTP as somebody of a tenant. */
export async function apiOf(
  { stack }: Running,
  { url }: FunctionsProcess,
  { roles, tenantId = demo.tenantId }: { roles: string[]; tenantId?: string },
) {
  const { token } = await stack.issuer.control.mint({ subject: 'op', tenantId, roles })
  return async (method: string, path: string, more: { body?: unknown; etag?: string } = {}) => {
    const { body, etag } = more
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(etag === undefined ? {} : { 'if-match': etag }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      etag: response.headers.get('etag') ?? '',
      location: response.headers.get('location'),
      json: text === '' ? undefined : envelope.parse(JSON.parse(text)),
    }
  }
}
