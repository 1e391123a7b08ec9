import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import {
  answer,
  failure,
  forbidden,
  notFound,
  readFields,
  refuseMediaTypes,
  verbOf,
  type ApiVersion,
} from './answers.ts'
import type { ApiCaller } from './authenticate.ts'
import { parseQuery } from './encoded-query.ts'
import type { Instance } from './instance.ts'
import { pageHeaders } from './list-headers.ts'
import type { Properties } from './properties.ts'
import { compileQuery, type RowTest } from './query-match.ts'
import { renderRow, type DisplayValue, type Rendering } from './render.ts'
import type { Rights } from './rights.ts'
import { findColumn } from './schema.ts'
import { select } from './selection.ts'
import { completeIncident, lacksResolution } from './state-rules.ts'
import { fromLocalStamp, toStamp, type Changes, type Row } from './values.ts'

export interface Twin {
  readonly instance: Instance
  readonly rights: Rights
  readonly properties: Properties
  /** How wrong the instance counts. */
  readonly lie: { total: number }
}

export interface TableCall extends Twin {
  readonly request: LocalRequest
  readonly caller: ApiCaller
  readonly version: ApiVersion
  readonly table: string
  /** Absent for the list. */
  readonly sysId: string | undefined
}

const DEFAULT_LIMIT = 10_000
/** A client may choose the sys_id of a new record, as PySNC does with `set_new_guid_value`. */
const OWN_SYS_ID = /^[0-9A-Za-z]{32}$/
const READ_ONLY = /^(sys_id|sys_(created|updated)_(on|by)|sys_mod_count|sys_class_name)$/

/** `/api/now/table/{table}` and `/{sys_id}` (facts A2). */
export function callTable(call: TableCall): LocalResponse {
  if (!call.instance.tables.has(call.table)) return failure(400, `Invalid table ${call.table}`)
  const refused = refuseMediaTypes(call.request)
  if (refused) return refused
  const verb = verbOf(call.request)
  switch (`${verb} ${call.sysId === undefined ? 'list' : 'record'}`) {
    case 'GET list':
    case 'HEAD list':
      return list(call)
    case 'GET record':
    case 'HEAD record':
      return readOne(call)
    case 'POST list':
      return create(call)
    case 'PUT record':
    case 'PATCH record':
      return update(call)
    case 'DELETE record':
      return remove(call)
    default:
      return failure(405, 'Method not supported', `${verb} is not supported for this resource`)
  }
}

function list(call: TableCall): LocalResponse {
  const { instance, rights, table, request } = call
  if (!rights.may('read', table)) return forbidden(`No read access to ${table}`)
  const parameters = request.url.searchParams
  const offset = Number(parameters.get('sysparm_offset') ?? 0)
  const limit = Number(parameters.get('sysparm_limit') ?? DEFAULT_LIMIT) || DEFAULT_LIMIT
  if (!(offset >= 0) || limit < 0)
    return failure(400, 'Invalid paging', 'sysparm_offset and sysparm_limit may not be negative')
  const column = (path: string) => findColumn(instance.tables, table, path)
  const { query, matches } = readQuery(call, parameters)
  const page = select({
    stores: instance.stores(table),
    query,
    matches,
    column,
    read: (row, path) => instance.read(table, row, path),
    offset,
    limit,
    counts: parameters.get('sysparm_no_count') !== 'true',
  })
  const rendering = renderingOf(call)
  const rows = page.rows
    .filter((row) => rights.sees(table, row))
    .map((row) => renderRow(table, row, rendering))
  const headers = pageHeaders({
    url: request.url,
    offset,
    limit,
    total: page.total === undefined ? undefined : Math.max(0, page.total + call.lie.total),
    hasMore: page.hasMore,
    suppressesLinks: parameters.get('sysparm_suppress_pagination_header') === 'true',
  })
  const isMissing = call.version === 'v1' && rows.length === 0
  if (isMissing) return { ...failure(404, 'No Record found', 'Records not found') }
  return answer(200, rows, headers)
}

/** `sysparm_query`, or the `field=value` pairs that stand for it. */
function readQuery(call: TableCall, parameters: URLSearchParams) {
  const pairs = [...parameters].filter(([name]) => !/^sysparm_|^x-/.test(name))
  const encoded =
    parameters.get('sysparm_query') ?? pairs.map(([name, value]) => `${name}=${value}`).join('^')
  return compileFor(call, encoded)
}

/** Compiles an encoded query for a table: bad terms are passed over, or match nothing when the property says so. */
export function compileFor(
  call: Pick<TableCall, 'instance' | 'properties' | 'table' | 'caller'>,
  encoded: string,
) {
  const { instance, table, properties, caller } = call
  const column = (path: string) => findColumn(instance.tables, table, path)
  const query = parseQuery(encoded, ({ field, operator, value }) => {
    const comparesFields = operator === 'SAMEAS' || operator === 'NSAMEAS'
    return column(field) !== undefined && (!comparesFields || column(value) !== undefined)
  })
  const isStrict = properties.get('glide.invalid_query.returns_no_rows') === 'true'
  const matches: RowTest =
    isStrict && query.ignored.length > 0
      ? () => false
      : compileQuery(query, {
          column,
          read: (row, path) => instance.read(table, row, path),
          nowMs: instance.nowMs(),
          timeZone: caller.timeZone,
          userSysId: caller.sysId,
          isA: (className, parent) =>
            className === parent ||
            (instance.tables.get(parent)?.children.includes(className) ?? false),
        })
  return { query, matches }
}

function renderingOf({ instance, rights, table, request, caller }: TableCall): Rendering {
  const parameters = request.url.searchParams
  const display = parameters.get('sysparm_display_value') ?? 'false'
  const wanted = parameters.get('sysparm_fields')?.split(',')
  const names = wanted ?? Object.keys(instance.tables.get(table)?.columns ?? {})
  return {
    instance,
    origin: request.url.origin,
    displayValue: ['true', 'all'].includes(display) ? (display as DisplayValue) : 'false', // just looked
    excludesLinks: parameters.get('sysparm_exclude_reference_link') === 'true',
    timeZone: caller.timeZone,
    fields: names.flatMap((name) => {
      const column = findColumn(instance.tables, table, name.trim())
      return column && rights.seesField(table, name.trim()) ? [[name.trim(), column] as const] : []
    }),
  }
}

function readOne(call: TableCall): LocalResponse {
  if (!call.rights.may('read', call.table)) return forbidden(`No read access to ${call.table}`)
  const row = visibleRow(call)
  return row ? answer(200, renderRow(call.table, row, renderingOf(call))) : notFound()
}

/** A record that is hidden answers like one that is gone (facts A2, Errors). */
function visibleRow({ instance, rights, table, sysId = '' }: TableCall): Row | undefined {
  const row = instance.find(table, sysId)
  return row && rights.sees(table, row) ? row : undefined
}

function create(call: TableCall): LocalResponse {
  const { instance, rights, table, request, caller } = call
  if (!rights.may('create', table)) return forbidden('ACL Exception Insert Failed')
  const changes = readChanges(call, {})
  if (!('fields' in changes)) return changes
  const row = instance.insert(table, changes.fields, caller.userName)
  const headers = {
    Location: `${request.url.origin}/api/now/table/${table}/${row['sys_id'] ?? ''}`,
  }
  return request.headers['x-no-response-body'] === 'true'
    ? { status: 201, headers }
    : answer(201, renderRow(table, row, renderingOf(call)), headers)
}

/** PUT and PATCH both merge (facts A2). */
function update(call: TableCall): LocalResponse {
  const { instance, rights, table, caller } = call
  const former = visibleRow(call)
  if (!former) return notFound()
  if (!rights.may('write', table)) return forbidden('ACL Exception Update Failed')
  const changes = readChanges(call, former)
  if (!('fields' in changes)) return changes
  const row = instance.update(table, former['sys_id'] ?? '', {
    ...changes.fields,
    by: caller.userName,
  })
  return row ? answer(200, renderRow(table, row, renderingOf(call))) : notFound()
}

function remove(call: TableCall): LocalResponse {
  const former = visibleRow(call)
  if (!former) return notFound()
  if (!call.rights.may('delete', call.table)) return forbidden('ACL Exception Delete Failed')
  call.instance.remove(call.table, former['sys_id'] ?? '', call.caller.userName)
  return { status: 204 }
}

/** The fields of the body that the table has and the caller may set, with what business rules add to them. */
function readChanges(call: TableCall, former: Row): { readonly fields: Changes } | LocalResponse {
  const given = readFields(call.request.body)
  if (!given)
    return failure(400, 'Exception while reading request', 'The payload is not valid JSON')
  const isLocalTime = call.request.url.searchParams.get('sysparm_input_display_value') === 'true'
  const columns = call.instance.tables.get(call.table)?.columns ?? {}
  const isNew = former['sys_id'] === undefined
  const fields = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const column = Object.hasOwn(columns, name) ? columns[name] : undefined
      const isOwnId = name === 'sys_id' && isNew && OWN_SYS_ID.test(value)
      if (isOwnId) return [[name, value]]
      if (!column || READ_ONLY.test(name) || !call.rights.seesField(call.table, name)) return []
      const isLocal = isLocalTime && column.kind === 'instant'
      return [[name, isLocal ? fromLocalStamp(value, call.caller.timeZone) : value]]
    }),
  )
  if (call.table !== 'incident') return { fields }
  const needsCode = call.properties.get('twin.incident.close_code_required') === 'true'
  if (needsCode && lacksResolution(former, fields))
    return forbidden('Data Policy Exception: Resolution code and Resolution notes are mandatory')
  return { fields: completeIncident(former, fields, toStamp(call.instance.nowMs())) }
}
