import type { Connector } from '../connector.ts'
import { tableStream } from './table.ts'

/** ServiceNow: the Table API in the order of changes. */
export const servicenow: Connector = {
  integrationId: 'servicenow',
  streams: {
    incident: tableStream('incident', [
      { local: 'number', external: 'number', type: 'text', required: true },
      { local: 'shortDescription', external: 'short_description', type: 'text' },
      { local: 'state', external: 'state', type: 'integer' },
      { local: 'active', external: 'active', type: 'boolean' },
      { local: 'priority', external: 'priority', type: 'integer' },
      { local: 'impact', external: 'impact', type: 'integer' },
      { local: 'urgency', external: 'urgency', type: 'integer' },
      { local: 'category', external: 'category', type: 'text' },
      { local: 'subcategory', external: 'subcategory', type: 'text' },
      { local: 'contactType', external: 'contact_type', type: 'text' },
      { local: 'callerId', external: 'caller_id', type: 'text' },
      { local: 'assignmentGroup', external: 'assignment_group', type: 'text' },
      { local: 'assignedTo', external: 'assigned_to', type: 'text' },
      { local: 'reassignmentCount', external: 'reassignment_count', type: 'integer' },
      { local: 'reopenCount', external: 'reopen_count', type: 'integer' },
      { local: 'closeCode', external: 'close_code', type: 'text' },
      { local: 'openedAt', external: 'opened_at', type: 'instant' },
      { local: 'resolvedAt', external: 'resolved_at', type: 'instant' },
      { local: 'closedAt', external: 'closed_at', type: 'instant' },
    ]),
  },
}
