import { scenarios } from './scripts.ts'

/** Where a scenario is held beside its scripts, or why it is not held. */
export type Elsewhere = { readonly test: string } | { readonly not: string }

const webhooks = { test: 'test/webhooks/receive.test.ts' }
const outbound = { test: 'test/sync/outbound.test.ts' }
const merge = { test: 'test/sync/merge.test.ts' }
const deletes = { test: 'test/sync/deletes.test.ts' }

export const elsewhere: Readonly<Record<string, Elsewhere>> = {
  S5: webhooks,
  S6: webhooks,
  S7: webhooks,
  S8: webhooks,
  S9: webhooks,
  S10: { test: 'test/webhooks/receive-lookups.test.ts' },
  S11: { test: 'test/webhooks/hostile.test.ts' },
  S13: { test: 'test/webhooks/standing.test.ts' },
  S14: { test: 'test/webhooks/subscriptions.test.ts' },
  S15: webhooks,
  S16: { test: 'test/webhooks/hostile.test.ts' },
  S17: webhooks,
  S24: { test: 'test/sync/parked.test.ts' },
  S26: deletes,
  S30: { test: 'test/sync/deletes.test.ts' },
  S31: deletes,
  S32: deletes,
  S34: { test: 'test/sync/field-type.test.ts' },
  S35: { test: 'test/sync/stream.test.ts' },
  S38: outbound,
  S39: { test: 'test/sync/references.test.ts' },
  S40: outbound,
  S44: { test: 'test/sync/conflict.test.ts' },
  S46: merge,
  S52: { test: 'test/credentials/device.test.ts' },
  S53: { test: 'test/connectors/servicenow-table.test.ts' },
  S56: { not: 'phones have no inbox to replay from' },
  S57: { not: 'there is no migration' },
  S58: { not: 'there is no workflow' },
}

/** What of a scenario that is played is not built. */
export const unbuilt: Readonly<Record<string, string>> = {
  S24: 'a redrive that goes on by itself: an operator asks for each round, and pauses by not asking',
  S30: 'page tokens (streams are read by time and id, so none is kept), and splitting an answer that is silently cut at the end of a stream and neither linked nor counted',
  S31: 'a row that changed while it was hidden is read when it changes again, or when an operator has everything read (sync-tasks/{id}/run?fromStart=true), not by itself',
}

const SCENARIOS = 60

export interface Covered {
  readonly id: string
  readonly by: readonly string[]
}

/** Every scenario of the design: scripts here, a test elsewhere, or the reason why there is none. */
export function coverage(): readonly Covered[] {
  return Array.from({ length: SCENARIOS }, (_, index) => {
    const id = `S${index + 1}`
    const scripts = scenarios
      .filter((one) => one.id === id)
      .map(({ world, title }) => `script, ${world}: ${title}`)
    const other = elsewhere[id]
    const more = !other
      ? []
      : 'test' in other
        ? [`test: ${other.test}`]
        : [`not covered: ${other.not}`]
    const rest = unbuilt[id]
    return { id, by: [...scripts, ...more, ...(rest === undefined ? [] : [`not built: ${rest}`])] }
  })
}

export function scenarioTable(): string {
  return coverage()
    .flatMap(({ id, by }) => by.map((text) => `${id.padEnd(5)} ${text}`))
    .join('\n')
}
