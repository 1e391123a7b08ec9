import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import type { WriteError } from './org.ts'
import type { Row, Value } from './values.ts'

const JSON_TYPE = { 'content-type': 'application/json;charset=UTF-8' }

export function ok(body: object, status = 200): LocalResponse {
  return { status, headers: JSON_TYPE, body: JSON.stringify(body) }
}

/** Errors come as a list (facts B2). */
export function failure(status: number, code: string, message: string) {
  return refusal(status, { code, message })
}

function refusal(status: number, { code, message, fields }: WriteError) {
  const entry = { message, errorCode: code, ...(fields === undefined ? {} : { fields }) }
  return { status, headers: JSON_TYPE, body: JSON.stringify([entry]) }
}

export const notFound = () => failure(404, 'NOT_FOUND', 'The requested resource does not exist')
export const expired = () => failure(401, 'INVALID_SESSION_ID', 'Session expired or invalid')

/** A record that could not be written by a call of its own. */
export function writeFailure(error: WriteError): LocalResponse {
  const isGone = error.code === 'NOT_FOUND' || error.code === 'ENTITY_IS_DELETED'
  return refusal(isGone ? 404 : 400, error)
}

/** The same as an item of a collection. */
export function itemFailure({ code, message, fields = [] }: WriteError): object {
  return { success: false, errors: [{ statusCode: code, message, fields }] }
}

export const MAINTENANCE_PAGE =
  '<!DOCTYPE html><html><head><title>We are down for maintenance</title></head><body>Sorry for the inconvenience.</body></html>'

/** A record as the API shows it, with its type and address. */
export function shown(
  { object, root }: { readonly object: string; readonly root: string },
  row: Row,
  fields?: readonly string[],
): object {
  const url = `${root}/sobjects/${object}/${String(row['Id'])}`
  const entries = fields?.map((name) => [name, row[name] ?? null]) ?? Object.entries(row)
  return { attributes: { type: object, url }, ...Object.fromEntries(entries) }
}

/** The JSON body; undefined for what is none. */
export function bodyOf({ body }: LocalRequest): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The values of a record in a body; lists and objects are none. */
export function valuesOf(body: Readonly<Record<string, unknown>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      value === null || ['string', 'number', 'boolean'].includes(typeof value)
        ? [[name, value as Value]] // just looked
        : [],
    ),
  )
}
