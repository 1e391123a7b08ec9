import type { FieldRule } from '../connector.ts'

type Preset = { readonly fields: FieldRule[]; readonly markerField?: string }

/** Tables that extend `task` have this column for the id that the record has elsewhere. */
const CORRELATION = 'correlation_id'

/** `'local external type'`, the type being text when it is left out; `own` when only the instance sets it. */
function fields(...rules: readonly string[]): FieldRule[] {
  return rules.map((rule) => {
    const [local = '', external = '', type = 'text', access] = rule.split(' ')
    const known = { local, external, type: type as FieldRule['type'] } // the tables below hold no other words
    return access === 'own' ? { ...known, readOnly: true } : known
  })
}

/** What is read and written of the tables that everybody has. Any other table needs its fields configured. */
export const presets: Readonly<Record<string, Preset>> = {
  incident: {
    markerField: CORRELATION,
    fields: fields(
      'number number text own',
      'shortDescription short_description',
      'description description',
      'state state integer',
      'active active boolean',
      'priority priority integer own',
      'impact impact integer',
      'urgency urgency integer',
      'category category',
      'subcategory subcategory',
      'contactType contact_type',
      'callerId caller_id',
      'assignmentGroup assignment_group',
      'assignedTo assigned_to',
      'reassignmentCount reassignment_count integer own',
      'reopenCount reopen_count integer own',
      'closeCode close_code',
      'openedAt opened_at instant',
      'resolvedAt resolved_at instant',
      'closedAt closed_at instant',
    ),
  },
  change_request: {
    markerField: CORRELATION,
    fields: fields(
      'number number text own',
      'shortDescription short_description',
      'description description',
      'type type',
      'state state integer',
      'approval approval',
      'active active boolean',
      'priority priority integer',
      'risk risk integer',
      'category category',
      'requestedBy requested_by',
      'assignmentGroup assignment_group',
      'assignedTo assigned_to',
      'startAt start_date instant',
      'endAt end_date instant',
      'openedAt opened_at instant',
      'closedAt closed_at instant',
    ),
  },
  sys_user: {
    fields: fields(
      'userName user_name',
      'name name',
      'firstName first_name',
      'lastName last_name',
      'email email',
      'phone phone',
      'mobilePhone mobile_phone',
      'title title',
      'active active boolean',
      'company company',
      'managerId manager',
      'timeZone time_zone',
    ),
  },
  sysapproval_approver: {
    fields: fields(
      'approverId approver',
      'subjectId sysapproval',
      'documentId document_id',
      'sourceTable source_table',
      'state state',
      'dueAt due_date instant',
    ),
  },
}

/** The tables that hold what we call by another name. */
export const tables: Readonly<Record<string, string>> = {
  change: 'change_request',
  contact: 'sys_user',
  approval: 'sysapproval_approver',
}
