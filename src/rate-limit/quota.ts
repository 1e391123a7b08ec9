import type { Answer } from './refusals.ts'
import type { Limiter } from './limiter.ts'
import type { Lane, Operation, OutgoingCall } from './limits.ts'

const operations = {
  GET: 'fetch',
  POST: 'create',
  PATCH: 'update',
  PUT: 'update',
  DELETE: 'update',
} as const satisfies Record<string, Operation>

interface HttpCall {
  readonly method: keyof typeof operations
}

/** Not now: the call may be made after the wait, and no try was lost. */
interface Limited {
  readonly kind: 'retry'
  readonly reason: string
  readonly afterMs: number
  readonly limited: true
}

/** The limits as a vendor's client knows them, for all calls of one piece of work. */
export function quotaOf(limiter: Limiter, work: Omit<OutgoingCall, 'operation' | 'cost'>) {
  const callOf = ({ method }: HttpCall) => ({ ...work, operation: operations[method] })
  return {
    admit: async (call: HttpCall): Promise<Limited | undefined> => {
      const decision = await limiter.checkRateLimit(callOf(call))
      if (decision.kind === 'allowed') return undefined
      const reason = `the limit of its ${decision.level} is reached`
      return { kind: 'retry', reason, afterMs: decision.waitMs, limited: true }
    },
    learnFrom: (call: HttpCall, answer: Answer) => limiter.learnFrom(callOf(call), answer),
  }
}

interface TokenCall extends Pick<
  OutgoingCall,
  'tenantId' | 'integrationId' | 'connectionId' | 'host'
> {
  readonly isAwaited: boolean
}

/** The limits as credentials know them. A token serves all lanes: unless a person waits, it goes with the webhooks. */
export function tokenQuotaOf(limiter: Pick<Limiter, 'checkRateLimit' | 'learnFrom'>) {
  const callOf = ({ isAwaited, ...call }: TokenCall): OutgoingCall => ({
    ...call,
    operation: 'token',
    lane: isAwaited ? 'person' : 'webhook',
  })
  return {
    admit: async (call: TokenCall): Promise<number | undefined> => {
      const decision = await limiter.checkRateLimit(callOf(call))
      return decision.kind === 'allowed' ? undefined : decision.waitMs
    },
    learnFrom: (call: TokenCall, answer: Answer) => limiter.learnFrom(callOf(call), answer),
  }
}

/** How urgent the calls of a task are. */
export function laneOf(task: {
  readonly type: 'scheduled' | 'manual' | 'webhook'
  readonly priority: 'high' | 'normal' | 'low'
}): Lane {
  if (task.type === 'manual') return 'person'
  if (task.type === 'webhook') return 'webhook'
  return task.priority === 'low' ? 'backfill' : 'incremental'
}
