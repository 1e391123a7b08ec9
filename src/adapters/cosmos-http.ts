import {
  createDefaultHttpClient,
  createHttpHeaders,
  type HttpClient,
} from '@azure/core-rest-pipeline'
import type { TimedAnswer } from './server-clock.ts'

/** Marks a query of one partition. It says nothing to the service, and reaches it with the query itself. */
const MARK = 'x-syncline-one-partition'
export const onePartition = { [MARK]: 'true' } as const
const IS_PLAN = 'x-ms-cosmos-is-query-plan-request'

const noPlan = JSON.stringify({ code: 'BadRequest', message: 'one partition needs no query plan' })

/**
 * The SDK asks for a query plan beside every query, and looks at the answer only when the service refuses the query without
 * one, which it does to queries of many partitions. For those of one the question is answered here: half of their calls.
 */
export function leanHttpClient(
  learnTime: (answer: TimedAnswer) => void = () => {},
  inner: HttpClient = createDefaultHttpClient(),
): HttpClient {
  return {
    sendRequest: async (request) => {
      const { headers } = request
      if (!headers.has(MARK) || !headers.has(IS_PLAN)) {
        const sentMs = Date.now()
        const answer = await inner.sendRequest(request)
        learnTime({ sentMs, receivedMs: Date.now(), date: answer.headers.get('date') })
        return answer
      }
      const answer = createHttpHeaders({ 'content-type': 'application/json' })
      return { request, headers: answer, status: 400, bodyAsText: noPlan }
    },
  }
}
