import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Caller } from '../../core/caller.ts'
import { AppError } from '../../core/errors.ts'

export type Role = 'viewer' | 'operator' | 'admin'

/** What every operation knows of its call. */
export interface Call {
  readonly app: App
  readonly caller: Caller
  /** The parts of the path that are names in the template. */
  readonly params: Readonly<Record<string, string>>
  /** `If-Match`; undefined for none and for `*` (RFC 9110 §13.1.1). */
  readonly etag: string | undefined
}

export interface Answer {
  /** Where it is not the operation's own. */
  readonly status?: 200
  readonly data?: unknown
  readonly etag?: string
  /** Path of what was made, behind `/api/v1/`. */
  readonly location?: string
  readonly nextCursor?: string | undefined
  readonly limit?: number
}

export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Behind `/api/v1/`; parts in braces are names. */
  readonly path: string
  readonly summary: string
  readonly role: Role
  readonly status: 200 | 201 | 202 | 204
  readonly query: z.ZodType
  readonly body: z.ZodType | undefined
  /** Throws `bad_request` that names every bad field. */
  readonly run: (
    call: Call,
    given: { readonly query: unknown; readonly body: unknown },
  ) => Promise<Answer>
}

interface Description<Q extends z.ZodType, B extends z.ZodType> {
  readonly summary: string
  readonly role: Role
  readonly status?: Operation['status']
  readonly query?: Q
  readonly body?: B
  readonly run: (call: Call, given: { query: z.infer<Q>; body: z.infer<B> }) => Promise<Answer>
}

const nothing = z.object({})

/** One entry of the API: the same shapes check what comes in and describe it in the OpenAPI document. */
export function operation<
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = z.ZodUndefined,
>(
  methodAndPath: `${Operation['method']} ${string}`,
  { summary, role, status = 200, query, body, run }: Description<Q, B>,
): Operation {
  const [method = 'GET', path = ''] = methodAndPath.split(' ')
  return {
    method: method as Operation['method'], // the template's first word
    path,
    summary,
    role,
    status,
    query: query ?? nothing,
    body,
    run: (call, given) =>
      run(call, {
        query: parse('query', query ?? nothing, given.query) as z.infer<Q>, // parsed by that very shape
        body: (body ? parse('body', body, given.body) : undefined) as z.infer<B>, // parsed by that very shape
      }),
  }
}

function parse(where: string, shape: z.ZodType, value: unknown): unknown {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || where}: ${message}`,
  )
  throw new AppError('bad_request', problems.join('; '))
}

/** An admin may all, an operator may run and resolve, a viewer may read. */
const ranks: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 }

export function mayDo({ roles }: Caller, role: Role): boolean {
  return roles.some((one) => one in ranks && ranks[one as Role] >= ranks[role])
}

export const pageShape = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().default(''),
}
