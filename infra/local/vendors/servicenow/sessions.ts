import { randomBytes } from 'node:crypto'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import type { VirtualClock } from '../../clock.ts'

/** Calls of one session that may wait; a further one is answered 202 and dropped (facts section 0, item 8). */
const WAITING_CALLS = 10

interface Session {
  readonly waiting: (() => void)[]
  isBusy: boolean
}

/**
 * Every answer sets a session cookie. Calls that send it back share one session: one runs at a time, for
 * `transactionMs` of the clock, and from the eleventh waiting call on a call is dropped.
 */
export class Sessions {
  readonly #clock: VirtualClock
  readonly #transactionMs: number
  readonly #sessions = new Map<string, Session>()

  constructor(clock: VirtualClock, transactionMs: number) {
    this.#clock = clock
    this.#transactionMs = transactionMs
  }

  /** Calls that wait in any session. */
  waiting(): number {
    return [...this.#sessions.values()].reduce((sum, { waiting }) => sum + waiting.length, 0)
  }

  async run(request: LocalRequest, work: () => LocalResponse): Promise<LocalResponse> {
    const [, id] = /\bJSESSIONID=([^;]+)/.exec(request.headers['cookie'] ?? '') ?? []
    if (id === undefined) return withCookie(work())
    const session = this.#sessions.get(id) ?? { waiting: [], isBusy: false }
    this.#sessions.set(id, session)
    if (session.isBusy && session.waiting.length >= WAITING_CALLS) return { status: 202 }
    if (session.isBusy) await new Promise<void>((resolve) => session.waiting.push(resolve))
    session.isBusy = true
    await new Promise<void>((resolve) => {
      this.#clock.at(this.#clock.now() + this.#transactionMs, resolve)
    })
    const response = work()
    this.#finish(id, session)
    return response
  }

  #finish(id: string, session: Session): void {
    const next = session.waiting.shift()
    if (next) return next()
    session.isBusy = false
    this.#sessions.delete(id)
  }
}

function withCookie({ headers, ...response }: LocalResponse): LocalResponse {
  const cookie = `JSESSIONID=${randomBytes(16).toString('hex').toUpperCase()}; Path=/; HttpOnly`
  return { ...response, headers: { ...headers, 'set-cookie': cookie } }
}
