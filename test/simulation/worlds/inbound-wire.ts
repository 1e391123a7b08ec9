import type { VendorAnswer } from '../../../src/connectors/client.ts'
import { isHidden } from '../../../src/connectors/servicenow/gone.ts'
import { askTable, rowOf } from '../../../src/connectors/servicenow/row.ts'
import { tableStream } from '../../../src/connectors/servicenow/table.ts'
import type { FoundOne, Source } from '../../../src/sync/ports.ts'
import type { Task } from '../../../src/sync/task.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { VendorTable } from '../vendor-table.ts'
import { ENTITY } from './inbound-stores.ts'

export const stream = tableStream(ENTITY, {
  name: ENTITY,
  fields: [
    { local: 'title', external: 'title', type: 'text', required: true },
    { local: 'revision', external: 'revision', type: 'integer' },
    { local: 'severity', external: 'severity', type: 'integer' },
  ],
  markerField: undefined,
  hasDeleteLog: false,
})

/** How far a vendor's replica may lag. */
const VENDOR_LAG_MS = 210_000

interface Asked {
  readonly table: VendorTable | undefined
  /** As whom the vendor is asked: the limiter serves by it. */
  readonly task: Task
  readonly asked: (actor: Actor, task: Task, what: 'page' | 'row') => void
}

export function sourceOf(sim: Simulation, actor: Actor, { table, task, asked }: Asked): Source {
  if (!table) throw new Error('no such tenant')
  const clientOf = (site: string) => ({
    now: actor.clock,
    call: (call: Parameters<VendorTable['answer']>[0]) =>
      sim.call(actor, site, {
        place: 'vendor replica',
        failure: () => new Error('never'),
        effect: (fault): VendorAnswer => {
          if (fault?.kind === 'vendor-trouble') return trouble(fault.size)
          const lagMs = fault?.kind === 'stale' ? fault.size * VENDOR_LAG_MS : 0
          return table.answer(call, sim.now() - lagMs)
        },
      }),
  })
  return {
    kind: 'source',
    mapping: stream.mapping,
    overlapMs: stream.overlapMs,
    fetchPage: (request, signal) => {
      asked(actor, task, 'page')
      return stream.fetchPage(clientOf('vendor.fetch'), request, signal)
    },
    fetchOne: async (id, signal): Promise<FoundOne> => {
      asked(actor, task, 'row')
      const query = { sysparm_query: `sys_id=${id}`, sysparm_limit: '1' }
      const list = await askTable(clientOf('vendor.one'), { table: ENTITY, query }, signal)
      if (list.kind !== 'list') return list
      const row = rowOf(list.items[0])
      if (row) return { kind: 'row', row }
      return { kind: isHidden(list) ? 'hidden' : 'gone' }
    },
  }
}

function trouble(size: number): VendorAnswer {
  const seconds = String(Math.round(10 + size * 900))
  const answers: readonly VendorAnswer[] = [
    {
      kind: 'answer',
      status: 429,
      headers: new Headers({ 'retry-after': seconds }),
      body: {},
      text: '{}',
    },
    { kind: 'answer', status: 503, headers: new Headers(), body: {}, text: '{}' },
    { kind: 'answer', status: 202, headers: new Headers(), body: {}, text: '{}' },
    { kind: 'answer', status: 200, headers: new Headers(), body: undefined, text: '' },
    { kind: 'retry', reason: 'it could not be reached' },
  ]
  return answers[Math.floor((size * 100) % answers.length)] ?? { kind: 'retry', reason: '' }
}
