import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { parse } from 'csv-parse'
import type { Instance } from './instance.ts'
import { sysIdOf, type Row } from './values.ts'

/** One line of the log: the whole record after an update. Texts are shared between events. */
export type LogEvent = readonly string[]

export interface IncidentLog {
  readonly columns: readonly string[]
  /** In the order in which they happened; of one minute, in the order of the file. */
  readonly events: readonly LogEvent[]
}

const MISSING = '?'

/** Reads the UCI incident log (`.csv` or `.csv.gz`): `?` is missing, times are `D/M/YYYY HH:MM` in UTC. */
export async function readIncidentLog(file: string): Promise<IncidentLog> {
  const columns: string[] = []
  const events: { readonly at: string; readonly event: LogEvent }[] = []
  const shared = new Map<string, string>()
  const parser = parse({ bom: true })
  parser.on('data', (cells: string[]) => {
    if (columns.length === 0) return void columns.push(...cells)
    const event = cells.map((cell, index) => shareCell(cell, columns[index] ?? '', shared))
    events.push({ at: event[columns.indexOf('sys_updated_at')] ?? '', event })
  })
  const source = createReadStream(file)
  await (file.endsWith('.gz') ? pipeline(source, createGunzip(), parser) : pipeline(source, parser))
  return {
    columns,
    events: events
      .sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1))
      .map(({ event }) => event),
  }
}

function shareCell(cell: string, column: string, shared: Map<string, string>): string {
  const key = column.endsWith('_at') ? `@${cell}` : cell
  const known = shared.get(key)
  if (known !== undefined) return known
  const value = cell === MISSING ? '' : column.endsWith('_at') ? toUtcStamp(cell) : cell
  shared.set(key, value)
  return value
}

function toUtcStamp(text: string): string {
  const [, day = '', month = '', year = '', time = ''] =
    /^(\d+)\/(\d+)\/(\d{4}) (\d\d:\d\d)$/.exec(text) ?? []
  return year === '' ? '' : `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')} ${time}:00`
}

/** State, and the reason of a hold (facts A7). An unknown state of the log stays as it is. */
const STATES: Readonly<Record<string, readonly [state: string, holdReason: string]>> = {
  New: ['1', ''],
  Active: ['2', ''],
  'Awaiting User Info': ['3', '1'],
  'Awaiting Problem': ['3', '3'],
  'Awaiting Vendor': ['3', '4'],
  'Awaiting Evidence': ['3', ''],
  Resolved: ['6', ''],
  Closed: ['7', ''],
}

const REFERENCES: Readonly<Record<string, string>> = {
  caller_id: 'sys_user',
  opened_by: 'sys_user',
  assigned_to: 'sys_user',
  resolved_by: 'sys_user',
  assignment_group: 'sys_user_group',
  location: 'cmn_location',
  cmdb_ci: 'cmdb_ci',
  problem_id: 'problem',
  rfc: 'change_request',
  caused_by: 'change_request',
  vendor: 'core_company',
}

const RENAMED: Readonly<Record<string, string>> = {
  sys_created_at: 'sys_created_on',
  sys_updated_at: 'sys_updated_on',
  closed_code: 'close_code',
}

/** The incident after an event. Whom and what it refers to becomes records of their own. */
export function toIncident({ columns }: IncidentLog, event: LogEvent, instance: Instance): Row {
  const fields: Record<string, string> = {}
  for (const [index, column] of columns.entries())
    fields[RENAMED[column] ?? column] = convert(column, event[index] ?? '', instance)
  const label = event[columns.indexOf('incident_state')] ?? ''
  const [state, holdReason] = STATES[label] ?? [label, '']
  const number = fields['number'] ?? ''
  const cell = (column: string) => event[columns.indexOf(column)] ?? ''
  return {
    ...fields,
    sys_id: sysIdOf('incident', number),
    sys_class_name: 'incident',
    state,
    incident_state: state,
    hold_reason: holdReason,
    sys_created_on: fields['sys_created_on'] || (fields['opened_at'] ?? ''),
    short_description: `${cell('category') || 'No category'} / ${cell('subcategory') || 'no subcategory'}: ${cell('u_symptom') || 'no symptom'} (${number})`,
  }
}

function convert(column: string, cell: string, instance: Instance): string {
  if (column === 'impact' || column === 'urgency' || column === 'priority')
    return cell.split(' ')[0] ?? ''
  const table = REFERENCES[column]
  if (table === undefined || cell === '') return cell
  return instance.referTo(table, cell, describe(table, cell))
}

function describe(table: string, label: string): Row {
  const userName = label.toLowerCase().replace(/\s+/g, '.')
  switch (table) {
    case 'sys_user':
      return {
        name: label,
        user_name: userName,
        email: `${userName}@example.com`,
        active: 'true',
        time_zone: 'GMT',
      }
    case 'problem':
    case 'change_request':
      return { number: label, sys_class_name: table, short_description: label, active: 'true' }
    default:
      return { name: label }
  }
}
