import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import {
  bodyOf,
  failure,
  isObject,
  notFound,
  ok,
  shown,
  valuesOf,
  writeFailure,
} from './answers.ts'
import type { Org, Writer, Written } from './org.ts'
import { fromStamp, toStamp, type Changes, type Row } from './values.ts'

export interface RecordCall {
  readonly org: Org
  readonly request: LocalRequest
  readonly root: string
  readonly object: string
  readonly writer: Writer
}

/** `sobjects/{T}` and `sobjects/{T}/{id}` (facts B2). */
export function callRecord(call: RecordCall, id: string | undefined): LocalResponse {
  const { org, request, object, writer } = call
  const { method } = request
  if (id === undefined)
    return method === 'POST'
      ? created(org.create(object, read(call), writer))
      : methodRefused(method)
  const row = org.find(object, id)
  const precondition = row && refusePrecondition(request, object, row)
  switch (method) {
    case 'GET':
      if (row?.['IsDeleted'] !== false) return notFound()
      return precondition ?? readOne(call, row)
    case 'PATCH':
      return precondition ?? updated(org.update({ object, id }, read(call), writer))
    case 'DELETE':
      return updated(org.remove(object, id, writer))
    default:
      return methodRefused(method)
  }
}

/** `PATCH sobjects/{T}/{field}/{value}`: 201, 204, or 300 when several match. */
export function upsertRecord(call: RecordCall, field: string, value: string): LocalResponse {
  const { org, root, object, writer } = call
  const matching = org.matching(object, field, value)
  if (org.objects.get(object)?.fields[field]?.externalId !== true) return notFound()
  if (matching.length > 1) {
    const urls = matching.map((row) => `${root}/sobjects/${object}/${String(row['Id'])}`)
    return ok(urls, 300)
  }
  const given = read(call)
  if (field in given)
    return failure(
      400,
      'INVALID_FIELD',
      `The ${field} field should not be specified in the sobject data.`,
    )
  const [former] = matching
  return former
    ? updated(org.update({ object, id: String(former['Id']) }, given, writer))
    : created(org.create(object, { ...given, [field]: value }, writer))
}

function read({ request }: RecordCall): Changes {
  const body = bodyOf(request)
  return isObject(body) ? valuesOf(body) : {}
}

function created(written: Written): LocalResponse {
  if ('error' in written) return writeFailure(written.error)
  return ok({ id: written.row['Id'], success: true, errors: [] }, 201)
}

function updated(written: Written): LocalResponse {
  return 'error' in written ? writeFailure(written.error) : { status: 204 }
}

function methodRefused(method: string): LocalResponse {
  return failure(405, 'METHOD_NOT_ALLOWED', `HTTP Method '${method}' not allowed`)
}

function readOne({ request, root, object }: RecordCall, row: Row): LocalResponse {
  const fields = request.url.searchParams.get('fields')?.split(',')
  const response = ok(shown({ object, root }, row, fields))
  const modified = new Date(fromStamp(row['LastModifiedDate'])).toUTCString()
  const tag = object === 'Account' ? { ETag: tagOf(row) } : {}
  return { ...response, headers: { ...response.headers, 'Last-Modified': modified, ...tag } }
}

/** Tags are there on accounts only, and may end with `--gzip`. */
function tagOf(row: Row): string {
  return `"${Buffer.from(String(row['SystemModstamp'])).toString('base64url')}--gzip"`
}

/** 304 and 412 (RFC 9110 §13.1); a header that cannot be read is 400 on a write. */
function refusePrecondition(
  { method, headers }: LocalRequest,
  object: string,
  row: Row,
): LocalResponse | undefined {
  const modified = fromStamp(row['LastModifiedDate'])
  const {
    'if-unmodified-since': unmodified,
    'if-modified-since': since,
    'if-match': match,
  } = headers
  const limit = Date.parse(unmodified ?? since ?? '')
  if ((unmodified ?? since) !== undefined && Number.isNaN(limit))
    return method === 'GET'
      ? undefined
      : failure(400, 'INVALID_HEADER', 'the date of the header is malformed')
  if (unmodified !== undefined && modified > limit)
    return failure(412, 'PRECONDITION_FAILED', 'the record was modified since')
  if (since !== undefined && method === 'GET' && modified <= limit) return { status: 304 }
  const isOther = object === 'Account' && match !== undefined && match !== tagOf(row)
  return isOther ? failure(412, 'PRECONDITION_FAILED', 'the entity tag does not match') : undefined
}

const DAY_MS = 24 * 3_600_000
const MINUTE_MS = 60_000
const DELETED_DAYS = 15

/** `sobjects/{T}/deleted` and `/updated`, in whole minutes. */
export function callChanges(call: RecordCall, kind: 'deleted' | 'updated'): LocalResponse {
  const { org, request, object } = call
  const whole = (name: string) =>
    Math.floor(Date.parse(request.url.searchParams.get(name) ?? '') / MINUTE_MS) * MINUTE_MS
  const [start, end] = [whole('start'), whole('end')]
  if (!(end - start > MINUTE_MS))
    return failure(
      400,
      'INVALID_REPLICATION_DATE',
      'startDate must be more than one minute before endDate',
    )
  const earliest = org.nowMs() - DELETED_DAYS * DAY_MS
  if (kind === 'deleted' && start < earliest)
    return failure(
      400,
      'INVALID_REPLICATION_DATE',
      'startDate is before the earliest date available',
    )
  const rows = org.rows(object).filter((row) => {
    const ms = fromStamp(row['SystemModstamp'])
    return ms >= start && ms < end && (row['IsDeleted'] === true) === (kind === 'deleted')
  })
  const latest = { latestDateCovered: toStamp(end) }
  if (kind === 'updated') return ok({ ids: rows.map((row) => row['Id']), ...latest })
  const deletedRecords = rows.map((row) => ({ id: row['Id'], deletedDate: row['SystemModstamp'] }))
  return ok({ deletedRecords, earliestDateAvailable: toStamp(earliest), ...latest })
}

/** `sobjects/{T}/describe`. */
export function describe({ org, object }: RecordCall): LocalResponse {
  const fields = Object.entries(org.objects.get(object)?.fields ?? {}).map(([name, field]) => ({
    name,
    label: labelOf(name),
    type: DESCRIBED[field.kind],
    length: field.length ?? 0,
    createable: field.readOnly !== true,
    updateable: field.readOnly !== true,
    nillable: field.required !== true,
    defaultedOnCreate: false,
    externalId: field.externalId === true,
    unique: field.unique === true,
    referenceTo: field.refersTo === undefined ? [] : [field.refersTo],
  }))
  return ok({ name: object, queryable: true, fields })
}

/** `AccountId` → `Account ID`, `Syncline_Id__c` → `Syncline Id`. */
function labelOf(name: string): string {
  return name
    .replace(/__c$/, '')
    .replaceAll('_', ' ')
    .replace(/(?<=[a-z])Id$/, ' ID')
    .replace(/(?<=[a-z])(?=[A-Z][a-z])/g, ' ')
}

const DESCRIBED = {
  text: 'string',
  number: 'double',
  boolean: 'boolean',
  instant: 'datetime',
  reference: 'reference',
}
