import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger } from './ledger.ts'
import { entityType, type SoakWorld, type Tenant } from './world.ts'

/** Of ten things that happen so many are edits of our own; the others happen at the vendor. */
const OWN_EDITS_OF_TEN = 2
const RETRY_MS = 500
const MAX_RETRY_MS = 5_000

export interface Counts {
  events: number
  accepted: number
  retried: number
  edits: number
}

export interface Traffic {
  readonly counts: Counts
  /** One thing more happens at a tenant; settles when the stack has taken it. */
  act(tenant: Tenant): Promise<void>
}

/** People at the vendors and at our API. Each value is another one, so that what arrives can be told apart. */
export function trafficOf(world: SoakWorld, ledger: Ledger, signal: AbortSignal): Traffic {
  const counts: Counts = { events: 0, accepted: 0, retried: 0, edits: 0 }
  const turns = new Map<string, number>()
  const editing = new Map<string, Promise<void>>()
  let serial = 0

  const act = async (tenant: Tenant): Promise<void> => {
    const turn = turns.get(tenant.name) ?? 0
    turns.set(tenant.name, turn + 1)
    const rows = [...tenant.recordIds.keys()]
    const row = rows[turn % rows.length] ?? ''
    serial += 1
    const isOwn = turn % 10 < OWN_EDITS_OF_TEN
    if (!isOwn) return happen(tenant, row, `theirs ${serial}`)
    // One edit of a record after the other: the last one is the one that must be there in the end.
    const value = `own ${serial}`
    const key = `${tenant.name} ${row}`
    const edited = (editing.get(key) ?? Promise.resolve()).then(() => edit(tenant, row, value))
    editing.set(key, edited)
    return edited
  }

  /** Somebody edits at the vendor, whose rule posts until it is told 2xx. */
  const happen = async (tenant: Tenant, row: string, value: string): Promise<void> => {
    const { control } = tenant.vendor
    const changed = control.update(entityType, row, { short_description: value })
    ledger.begin('inbound', { tenant: tenant.name, row, value, at: performance.now() })
    counts.events += 1
    const record = {
      sys_id: row,
      sys_updated_on: changed['sys_updated_on'],
      sys_mod_count: changed['sys_mod_count'],
    }
    const body = JSON.stringify({
      event_type: 'incident.updated',
      table: entityType,
      operation: 'update',
      record,
    })
    const headers = signed(tenant, `evt ${value}`, body)
    await untilTaken(`${world.url}/webhooks/${tenant.name}/events`, {
      init: { method: 'POST', headers, body },
      answered: (tookMs) => {
        counts.accepted += 1
        ledger.answered(tenant.name, tookMs)
      },
    })
  }

  /** An operator edits our record. */
  const edit = async (tenant: Tenant, row: string, value: string): Promise<void> => {
    const id = tenant.recordIds.get(row) ?? ''
    counts.edits += 1
    await untilTaken(`${world.url}/api/v1/records/${id}?entityType=${entityType}`, {
      init: {
        method: 'PATCH',
        headers: { authorization: `Bearer ${tenant.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ fields: { description: value } }),
      },
      before: () => {
        ledger.begin('outbound', { tenant: tenant.name, row, value, at: performance.now() })
      },
      answered: () => {},
    })
  }

  const untilTaken = async (url: string, call: Call): Promise<void> => {
    call.before?.()
    for (let tries = 1; !signal.aborted; tries += 1) {
      const before = performance.now()
      const answer = await fetch(url, { ...call.init, signal }).catch(() => undefined)
      const text = await answer?.text().catch(() => undefined)
      if (answer?.ok && text !== undefined) return call.answered(performance.now() - before)
      // Refusals that no try changes: a mistake of this program.
      if (answer && [400, 401, 403, 404].includes(answer.status)) {
        throw new Error(`${url} was answered ${answer.status}: ${text}`)
      }
      counts.retried += 1
      await delay(Math.min(RETRY_MS * tries, MAX_RETRY_MS), undefined, { signal }).catch(() => {})
    }
  }

  return { counts, act }
}

interface Call {
  readonly init: RequestInit
  readonly before?: () => void
  readonly answered: (tookMs: number) => void
}

function signed({ secret }: Tenant, event: string, body: string): Record<string, string> {
  const stamp = String(Math.floor(Date.now() / 1_000))
  const mac = createHmac('sha256', secret).update(`${stamp}.${event}.${body}`).digest('base64')
  return {
    'content-type': 'application/json',
    'x-snow-signature': `sha256=${mac}`,
    'x-snow-timestamp': stamp,
    'x-snow-event-id': event,
  }
}
