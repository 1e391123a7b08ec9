import type { Connection } from 'rhea'
import type { Control } from '../../control.ts'
import { refusal, type Refusal } from './conditions.ts'
import { destroySocket } from './rhea-internals.ts'

/** One thing that a client asks for. */
interface Call {
  /** For counting and fault matching: what is asked and of which entity, like `send sync-inbound`. */
  readonly operation: string
  readonly connection: Connection
  /** Answers with an error instead of the work. */
  readonly refuse: (error: Refusal) => void
  /** Does the work; what it returns gives the answer. */
  readonly work: () => () => void
}

export interface Calls extends Disposable {
  enter(call: Call): void
}

/** Runs every call through the control channel's faults and the latency of the imagined network. */
export function createCalls(control: Control, latencyMs: number): Calls {
  const waiting = new Set<NodeJS.Timeout>()
  return {
    enter(call) {
      const fault = control.enter(call.operation)
      const run = () => perform(call, fault)
      const waitMs = latencyMs + (fault?.delayMs ?? 0)
      if (waitMs <= 0) return run()
      const timer = setTimeout(() => {
        waiting.delete(timer)
        run()
      }, waitMs)
      waiting.add(timer)
    },
    [Symbol.dispose]() {
      for (const timer of waiting) clearTimeout(timer)
      waiting.clear()
    },
  }
}

function perform(call: Call, fault: ReturnType<Control['enter']>): void {
  if (!call.connection.is_open()) return
  if (fault?.connection === 'drop') return destroySocket(call.connection)
  if (fault?.condition !== undefined) return call.refuse(refusal(fault.condition, 'planned fault'))
  const answer = call.work()
  if (fault?.connection === 'lose-answer') return destroySocket(call.connection)
  answer()
}
