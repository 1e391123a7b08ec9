import type { LocalRequest, LocalResponse } from '../../http-server.ts'

/** Whether the unversioned path, v1 or v2 was called: they differ for an empty list (facts A2). */
export type ApiVersion = '' | 'v1' | 'v2'

/** An error answer with its text. */
export interface Failure extends LocalResponse {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const JSON_TYPE = 'application/json;charset=UTF-8'

export function answer(
  status: number,
  result: unknown,
  headers: Readonly<Record<string, string>> = {},
): LocalResponse {
  return {
    status,
    headers: { 'content-type': JSON_TYPE, ...headers },
    body: JSON.stringify({ result }),
  }
}

/** `{"error":{"message","detail"},"status":"failure"}` (facts A2, Errors). */
export function failure(status: number, message: string, detail = ''): Failure {
  return {
    status,
    headers: { 'content-type': JSON_TYPE },
    body: JSON.stringify({ error: { message, detail }, status: 'failure' }),
  }
}

export const notFound = () =>
  failure(404, 'No Record found', "Record doesn't exist or ACL restricts the record retrieval")
export const notAuthenticated = () =>
  failure(401, 'User Not Authenticated', 'Required to provide Auth information')
export const forbidden = (detail: string) => failure(403, 'Operation Failed', detail)

/** What a hibernating developer instance answers, with status 200 (facts A2, Errors). */
export const HIBERNATION_PAGE =
  '<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head>' +
  '<body>Your instance is hibernating. Sign in to the developer site to wake it.</body></html>'

/** The verb that counts: `X-HTTP-Method-Override` replaces the one of a POST (facts A2). */
export function verbOf({ method, headers }: LocalRequest): string {
  const override = headers['x-http-method-override']
  return method === 'POST' && override ? override.toUpperCase() : method
}

/** Refuses what the REST layer refuses before any table is touched: 400, 406 and 415. */
export function refuseMediaTypes(request: LocalRequest): LocalResponse | undefined {
  const { accept, 'content-type': contentType } = request.headers
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(verbOf(request))
  if (accept && !/(application|\*)\/(json|\*)/.test(accept))
    return failure(406, 'Not Acceptable', `The response type ${accept} is not supported`)
  if (!hasBody) return undefined
  if (!accept) return failure(400, 'Bad Request', 'An Accept header is required')
  if (!contentType) return failure(400, 'Bad Request', 'A Content-Type header is required')
  return /^application\/json\b/.test(contentType)
    ? undefined
    : failure(415, 'Unsupported Media Type', `The content type ${contentType} is not supported`)
}

/** The first record of a JSON body, its values as texts; nothing for a body that is not JSON. */
export function readFields(body: Buffer): Readonly<Record<string, string>> | undefined {
  const parsed = parseJson(body)
  const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed
  if (typeof first !== 'object' || first === null) return undefined
  return Object.fromEntries(
    Object.entries(first).flatMap(([name, value]: [string, unknown]) => {
      const text = toText(value)
      return text === undefined ? [] : [[name, text]]
    }),
  )
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

/** Objects are not values: they are passed over. */
function toText(value: unknown): string | undefined {
  if (value === null) return ''
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
