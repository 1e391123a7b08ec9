import type { HttpRequest, HttpResponseInit } from '@azure/functions'
import type { App } from '../app.ts'
import { AppError, codeOf, explain } from '../core/errors.ts'
import { conflictOperations } from './api/conflicts.ts'
import { openApi } from './api/open-api.ts'
import { mayDo, type Answer, type Operation } from './api/operation.ts'
import { recordOperations } from './api/records.ts'
import { runningOperations } from './api/running.ts'
import { webhookOperations } from './api/webhooks.ts'
import type { FunctionApp } from './host.ts'
import { admittedCaller, httpHandler, jsonOf, readBytes, refusalHeaders, statusOf } from './http.ts'
import { invocationLog } from './observe.ts'

const operations: readonly Operation[] = [
  ...recordOperations,
  ...conflictOperations,
  ...runningOperations,
  ...webhookOperations,
]
const BODY_LIMIT = 1024 * 1024

/** What operators may ask: `/api/v1/…` by the table of operations, and the document that describes it. */
export function registerManagementApi(host: FunctionApp, app: App): void {
  host.http('management', {
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    authLevel: 'anonymous',
    route: 'api/v1/{*path}',
    handler: httpHandler(async (request, context) => {
      try {
        return await serve(app, request)
      } catch (error) {
        return refuse(error, context.invocationId)
      }
    }),
  })
  host.http('openapi', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'api/openapi.json',
    handler: httpHandler(async () => ({ status: 200, jsonBody: describeOperations(app.version) })),
  })
}

/** The OpenAPI document. */
export function describeOperations(version: string): object {
  return openApi(operations, version)
}

async function serve(app: App, request: HttpRequest): Promise<HttpResponseInit> {
  const caller = await admittedCaller(app, request)
  const path = (request.params['path'] ?? '').replace(/\/+$/, '')
  const found = operations
    .map((operation) => ({ operation, params: paramsOf(operation.path, path) }))
    .filter(({ params }) => params !== undefined)
  if (found.length === 0) throw new AppError('not_found', `there is nothing at ${path}`)
  const match = found.find(({ operation }) => operation.method === request.method)
  if (!match) {
    const allow = found.map(({ operation }) => operation.method).join(', ')
    return {
      status: 405,
      headers: { allow },
      jsonBody: failure('bad_request', `expected ${allow}`),
    }
  }
  const { operation, params = {} } = match
  if (!mayDo(caller, operation.role)) {
    throw new AppError('forbidden', `this needs the role ${operation.role}`)
  }
  const query = Object.fromEntries(request.query.entries())
  const body = operation.body ? await bodyOf(request) : undefined
  const etag = ifMatch(request)
  const answer = await operation.run({ app, caller, params, etag }, { query, body })
  return responseOf(operation, answer)
}

/** What an absent body means, the shape says. */
async function bodyOf(request: HttpRequest): Promise<unknown> {
  const bytes = await readBytes(request, BODY_LIMIT)
  return bytes.length === 0 ? undefined : jsonOf(bytes)
}

function ifMatch(request: HttpRequest): string | undefined {
  const value = request.headers.get('if-match')?.trim()
  return value === undefined || value === '' || value === '*' ? undefined : value
}

/** The names in a template with what stands there; undefined when the path is another. */
function paramsOf(template: string, path: string): Record<string, string> | undefined {
  const parts = path.split('/')
  const names = template.split('/')
  if (parts.length !== names.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, name] of names.entries()) {
    const part = parts[index] ?? ''
    const variable = /^\{(\w+)\}$/.exec(name)?.[1]
    if (variable === undefined && name !== part) return undefined
    if (variable !== undefined) params[variable] = decoded(part)
  }
  return params
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new AppError('bad_request', 'the path is not percent-encoded', { cause })
  }
}

function responseOf(operation: Operation, answer: Answer): HttpResponseInit {
  const { data, etag, location, nextCursor, limit, status = operation.status } = answer
  const headers = {
    'cache-control': 'no-store',
    ...(etag === undefined ? {} : { etag }),
    ...(location === undefined ? {} : { location: `/api/v1/${location}` }),
  }
  if (status === 204) return { status, headers }
  const pagination =
    limit === undefined ? undefined : { limit, ...(nextCursor ? { nextCursor } : {}) }
  return {
    status,
    headers,
    jsonBody: {
      success: true,
      ...(data === undefined ? {} : { data }),
      ...(pagination ? { pagination } : {}),
    },
  }
}

function refuse(error: unknown, correlationId: string): HttpResponseInit {
  const code = codeOf(error)
  const status = statusOf(code)
  const line = { code, status, correlationId }
  if (status >= 500) invocationLog.error(explain(error), line)
  else invocationLog.info(explain(error), line)
  const message = error instanceof AppError && status !== 500 ? error.message : 'Internal error'
  return {
    status,
    jsonBody: { ...failure(code, message), correlationId },
    headers: refusalHeaders(error, status),
  }
}

function failure(code: string, message: string) {
  const details = code === 'bad_request' ? message.split('; ') : undefined
  return { success: false, error: { code, message, ...(details ? { details } : {}) } }
}
