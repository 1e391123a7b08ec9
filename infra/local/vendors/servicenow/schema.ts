/** One column of a table. */
export interface Column {
  readonly kind: 'text' | 'integer' | 'boolean' | 'instant' | 'journal'
  /** The table that the value, a sys_id, points to. */
  readonly reference?: string
  /** Value to label (facts A7). */
  readonly choices?: Readonly<Record<string, string>>
}

export interface TableShape {
  readonly columns: Readonly<Record<string, Column>>
  /** The column that names a record for people. */
  readonly display: string
  readonly numberPrefix?: string
  /** A deleted record leaves a row in `sys_audit_delete` (facts A5). */
  readonly auditsDeletes: boolean
  /** Tables whose records are records of this one, too. */
  readonly children: readonly string[]
}

const text: Column = { kind: 'text' }
const integer: Column = { kind: 'integer' }
const boolean: Column = { kind: 'boolean' }
const instant: Column = { kind: 'instant' }
const journal: Column = { kind: 'journal' }
const to = (reference: string): Column => ({ kind: 'text', reference })
const choice = (choices: Record<string, string>): Column => ({ kind: 'integer', choices })
const named = (...names: string[]): Column => ({
  kind: 'text',
  choices: Object.fromEntries(names.map((name) => [name, titled(name)])),
})

function titled(name: string): string {
  return name.replaceAll('_', ' ').replace(/\b\w/g, (letter) => letter.toUpperCase())
}

const LEVELS = { 1: '1 - High', 2: '2 - Medium', 3: '3 - Low' }
const PRIORITIES = {
  1: '1 - Critical',
  2: '2 - High',
  3: '3 - Moderate',
  4: '4 - Low',
  5: '5 - Planning',
}

const system = {
  sys_id: text,
  sys_created_on: instant,
  sys_created_by: text,
  sys_updated_on: instant,
  sys_updated_by: text,
  sys_mod_count: integer,
}

const task = {
  ...system,
  number: text,
  sys_class_name: text,
  state: integer,
  active: boolean,
  approval: named('not requested', 'requested', 'approved', 'rejected'),
  short_description: text,
  description: text,
  priority: choice(PRIORITIES),
  impact: choice(LEVELS),
  urgency: choice(LEVELS),
  assigned_to: to('sys_user'),
  assignment_group: to('sys_user_group'),
  opened_by: to('sys_user'),
  opened_at: instant,
  closed_by: to('sys_user'),
  closed_at: instant,
  due_date: instant,
  cmdb_ci: to('cmdb_ci'),
  location: to('cmn_location'),
  contact_type: text,
  correlation_id: text,
  correlation_display: text,
  parent: to('task'),
  made_sla: boolean,
  knowledge: boolean,
  reassignment_count: integer,
  close_notes: text,
  comments: journal,
  work_notes: journal,
}

const INCIDENT_STATES = {
  1: 'New',
  2: 'In Progress',
  3: 'On Hold',
  6: 'Resolved',
  7: 'Closed',
  8: 'Canceled',
}

const incident = {
  ...task,
  state: choice(INCIDENT_STATES),
  incident_state: choice(INCIDENT_STATES),
  hold_reason: choice({
    1: 'Awaiting Caller',
    3: 'Awaiting Problem',
    4: 'Awaiting Vendor',
    5: 'Awaiting Change',
  }),
  caller_id: to('sys_user'),
  category: text,
  subcategory: text,
  severity: choice(LEVELS),
  notify: text,
  reopen_count: integer,
  resolved_by: to('sys_user'),
  resolved_at: instant,
  close_code: text,
  problem_id: to('problem'),
  rfc: to('change_request'),
  caused_by: to('change_request'),
  vendor: to('core_company'),
  u_symptom: text,
  u_priority_confirmation: boolean,
}

const change = {
  ...task,
  state: choice({
    '-5': 'New',
    '-4': 'Assess',
    '-3': 'Authorize',
    '-2': 'Scheduled',
    '-1': 'Implement',
    0: 'Review',
    3: 'Closed',
    4: 'Canceled',
  }),
  type: named('normal', 'standard', 'emergency'),
  risk: integer,
  category: text,
  requested_by: to('sys_user'),
  start_date: instant,
  end_date: instant,
  reason: text,
}

const problem = {
  ...task,
  state: choice({
    101: 'New',
    102: 'Assess',
    103: 'Root Cause Analysis',
    104: 'Fix in Progress',
    106: 'Resolved',
    107: 'Closed',
  }),
  category: text,
}

const user = {
  ...system,
  user_name: text,
  name: text,
  first_name: text,
  last_name: text,
  email: text,
  phone: text,
  mobile_phone: text,
  title: text,
  active: boolean,
  time_zone: text,
  location: to('cmn_location'),
  company: to('core_company'),
  manager: to('sys_user'),
}

const approval = {
  ...system,
  approver: to('sys_user'),
  sysapproval: to('task'),
  document_id: text,
  source_table: text,
  state: named(
    'not requested',
    'requested',
    'approved',
    'rejected',
    'cancelled',
    'not_required',
    'duplicate',
  ),
  due_date: instant,
  comments: journal,
}

/** A table of an instance's own, like the others. */
export const plain = (columns: Record<string, Column>, display: string): TableShape => ({
  columns: { ...system, ...columns },
  display,
  auditsDeletes: true,
  children: [],
})
const numbered = (columns: Record<string, Column>, numberPrefix: string): TableShape => ({
  ...plain(columns, 'number'),
  numberPrefix,
})
/** Most `sys_` tables keep no record of what was deleted from them (facts A5). */
const unaudited = (columns: Record<string, Column>, display: string): TableShape => ({
  ...plain(columns, display),
  auditsDeletes: false,
})

/** The tables of a new instance. An instance changes its own copy: columns are data (facts A7). */
export const TABLES: Readonly<Record<string, TableShape>> = {
  task: { ...plain(task, 'number'), children: ['incident', 'change_request', 'problem'] },
  incident: numbered(incident, 'INC'),
  change_request: numbered(change, 'CHG'),
  problem: numbered(problem, 'PRB'),
  sys_user: plain(user, 'name'),
  sys_user_group: plain({ name: text, email: text, manager: to('sys_user') }, 'name'),
  cmn_location: plain({ name: text }, 'name'),
  cmdb_ci: plain({ name: text }, 'name'),
  core_company: plain({ name: text }, 'name'),
  sysapproval_approver: plain(approval, 'sys_id'),
  sys_audit_delete: unaudited(
    { tablename: text, documentkey: text, display_value: text, payload: text },
    'display_value',
  ),
  sys_choice: unaudited(
    { name: text, element: text, value: text, label: text, inactive: boolean, language: text },
    'label',
  ),
  sys_db_object: unaudited({ name: text, label: text, super_class: to('sys_db_object') }, 'label'),
  sys_dictionary: unaudited(
    {
      name: text,
      element: text,
      column_label: text,
      internal_type: text,
      reference: text,
      active: boolean,
      mandatory: boolean,
      read_only: boolean,
      max_length: integer,
    },
    'column_label',
  ),
  sys_journal_field: unaudited(
    { name: text, element_id: text, element: text, value: text },
    'value',
  ),
}

/** A column as found from a table by a dot-walk like `caller_id.email`; nothing when the path is wrong. */
export function findColumn(
  tables: ReadonlyMap<string, TableShape>,
  table: string,
  path: string,
): Column | undefined {
  const [name = '', ...rest] = path.split('.')
  const columns = tables.get(table)?.columns
  const column = columns && Object.hasOwn(columns, name) ? columns[name] : undefined
  if (rest.length === 0) return column
  return column?.reference === undefined
    ? undefined
    : findColumn(tables, column.reference, rest.join('.'))
}
