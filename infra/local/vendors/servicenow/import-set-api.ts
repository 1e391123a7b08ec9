import type { LocalResponse } from '../../http-server.ts'
import { failure, readFields } from './answers.ts'
import type { TableCall } from './table-api.ts'

/** A staging table with its transform map: fields of the same name, one field that finds the record again. */
export interface ImportSet {
  readonly table: string
  readonly coalesce: string
}

export const DEFAULT_IMPORT_SETS: Readonly<Record<string, ImportSet>> = {
  u_syncline_incident: { table: 'incident', coalesce: 'correlation_id' },
}

const IMPORT_SET = 'ISET0010001'

/** `POST /api/now/import/{stagingTable}` (facts A4): 201 even when the row's status is `error`. */
export function answerImport(
  call: Omit<TableCall, 'table' | 'sysId' | 'version'>,
  staging: string,
  { table, coalesce }: ImportSet,
): LocalResponse {
  const { instance, request, caller } = call
  const fields = readFields(request.body)
  if (!fields)
    return failure(400, 'Exception while reading request', 'The payload is not valid JSON')
  const columns = instance.tables.get(table)?.columns ?? {}
  const known = Object.fromEntries(Object.entries(fields).filter(([name]) => name in columns))
  const key = known[coalesce] ?? ''
  const outcome = { transform_map: `Syncline ${table}`, table }
  const reply = (row: Record<string, string>): LocalResponse => ({
    status: 201,
    body: { import_set: IMPORT_SET, staging_table: staging, result: [{ ...outcome, ...row }] },
  })
  if (key === '')
    return reply({ status: 'error', error_message: `The coalesce field ${coalesce} is empty` })
  const [found] = [...instance.store(table).all()].filter((row) => row[coalesce] === key)
  const row = found
    ? instance.update(table, found['sys_id'] ?? '', { ...known, by: caller.userName })
    : instance.insert(table, known, caller.userName)
  const status = !found ? 'inserted' : row === found ? 'ignored' : 'updated'
  const sysId = row?.['sys_id'] ?? ''
  return reply({
    display_name: 'number',
    display_value: row?.['number'] ?? '',
    record_link: `${request.url.origin}/api/now/table/${table}/${sysId}`,
    status,
    sys_id: sysId,
  })
}
