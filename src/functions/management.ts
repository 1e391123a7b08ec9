import type { HttpHandler, HttpRequest, HttpResponseInit } from '@azure/functions'
import type { z } from 'zod'
import type { App } from '../app.ts'
import type { Caller } from '../core/caller.ts'
import { AppError, codeOf, explain } from '../core/errors.ts'
import { admittedCaller, refusalHeaders, statusOf } from './http.ts'
import { invocationLog, observe } from './observe.ts'

/** What a role may do: an admin everything, an operator run and resolve, a viewer read. */
const allowed = {
  read: ['viewer', 'operator', 'admin'],
  run: ['operator', 'admin'],
  change: ['admin'],
} as const

export type Right = keyof typeof allowed

export interface Managed {
  readonly status?: number
  readonly data?: unknown
  readonly etag?: string
  readonly location?: string
  readonly pagination?: { readonly limit: number; readonly nextCursor?: string }
}

/** An operation of the management API: who calls is known, has the right, and sees the own tenant only. */
export function managed(
  app: App,
  right: Right,
  work: (request: HttpRequest, caller: Caller) => Promise<Managed>,
): HttpHandler {
  return (request, context) =>
    observe(context, async () => {
      try {
        const caller = await admittedCaller(app, request)
        if (!allowed[right].some((role) => caller.roles.includes(role))) {
          throw new AppError(
            'forbidden',
            `this needs one of the roles ${allowed[right].join(', ')}`,
          )
        }
        return answered(await work(request, caller))
      } catch (error) {
        return refused(error, context.invocationId)
      }
    })
}

function answered({ status = 200, data, etag, location, pagination }: Managed): HttpResponseInit {
  return {
    status,
    headers: {
      'cache-control': 'no-store',
      ...(etag === undefined ? {} : { etag }),
      ...(location === undefined ? {} : { location }),
    },
    jsonBody: { success: true, data, ...(pagination ? { pagination } : {}) },
  }
}

function refused(error: unknown, correlationId: string): HttpResponseInit {
  const code = codeOf(error)
  const status = statusOf(code)
  invocationLog[status >= 500 ? 'error' : 'info'](explain(error), { code, status, correlationId })
  const message = error instanceof AppError && status !== 500 ? error.message : 'Internal error'
  return {
    status,
    jsonBody: { success: false, error: { code, message, details: { correlationId } } },
    headers: refusalHeaders(error, status),
  }
}

/** The tag of `If-Match` (RFC 9110 §13.1.1); undefined for none and for `*`. */
export function ifMatch(request: HttpRequest): string | undefined {
  const value = request.headers.get('if-match')?.trim()
  return value === undefined || value === '' || value === '*' ? undefined : value
}

/** The query as an object of the given shape. Throws `bad_request` that names every parameter that does not fit. */
export function queryOf<T>(request: HttpRequest, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(Object.fromEntries(request.query))
  if (parsed.success) return parsed.data
  throw new AppError(
    'bad_request',
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  )
}
