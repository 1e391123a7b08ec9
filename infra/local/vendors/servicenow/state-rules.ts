import type { Changes, Row } from './values.ts'

/**
 * What the instance adds to a write on an incident: the priority follows impact and urgency, whatever was written to it;
 * `active`, `resolved_at` and `closed_at` follow the state.
 */
export function completeIncident(former: Row, changes: Changes, stamp: string): Changes {
  return {
    ...changes,
    ...derivedPriority(former, changes),
    ...derivedDates(former, changes, stamp),
  }
}

/** A data policy: an incident is resolved with a code and notes (facts A7, last line). */
export function lacksResolution(former: Row, changes: Changes): boolean {
  const after = { ...former, ...changes }
  return changes['state'] === '6' && (!after['close_code'] || !after['close_notes'])
}

/** `dl_u_priority`, the vendor's lookup of impact and urgency (facts A7), is this sum. */
function derivedPriority(former: Row, changes: Changes): Changes {
  if (!['priority', 'impact', 'urgency'].some((name) => name in changes)) return {}
  const after: Row = { impact: '3', urgency: '3', ...former, ...changes }
  const priority = Number(after['impact']) + Number(after['urgency']) - 1
  return priority >= 1 && priority <= 5 ? { priority: String(priority) } : {}
}

function derivedDates(former: Row, changes: Changes, stamp: string): Changes {
  const state = changes['state']
  if (state === undefined || state === former['state']) return {}
  const dates: Record<string, string> = {
    incident_state: state,
    active: String(state !== '7' && state !== '8'),
  }
  if (state === '6') dates['resolved_at'] = stamp
  if (state === '7') dates['closed_at'] = stamp
  return dates
}

/** What a new record holds when nobody says otherwise. */
export function defaultsOf(table: string, stamp: string): Changes {
  const open = { active: 'true', opened_at: stamp }
  switch (table) {
    case 'incident':
      return { ...open, state: '1', incident_state: '1', impact: '3', urgency: '3', priority: '5' }
    case 'change_request':
      return { ...open, state: '-5', type: 'normal', approval: 'not requested' }
    case 'problem':
      return { ...open, state: '101' }
    case 'sys_user':
      return { active: 'true', time_zone: 'GMT' }
    case 'sysapproval_approver':
      return { state: 'requested' }
    default:
      return {}
  }
}
