import {
  createDefaultHttpClient,
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
} from '@azure/core-rest-pipeline'
import type { TimedAnswer } from './server-clock.ts'

/** Marks a query of one partition. It says nothing to the service, and reaches it with the query itself. */
const MARK = 'x-syncline-one-partition'
export const onePartition = { [MARK]: 'true' } as const
const IS_PLAN = 'x-ms-cosmos-is-query-plan-request'
const RETRY_AFTER_MS = 'x-ms-retry-after-ms'

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

/**
 * Ends what the SDK would go on with: it waits for as long as a throttled account names, and asks one that does not answer
 * a read 120 times more. What is thrown here it does not try again.
 */
export function impatientHttpClient(patienceMs: number, inner: HttpClient): HttpClient {
  return {
    sendRequest: async (request) => {
      const answer = await answerWithin(patienceMs, inner, request)
      const waitMs = Number(answer.headers.get(RETRY_AFTER_MS) ?? 0)
      if (answer.status !== TOO_MANY_REQUESTS || waitMs <= patienceMs) return answer
      throw new Error(`throttled for ${waitMs} ms, and nobody waits longer than ${patienceMs} ms`)
    },
  }
}

const TOO_MANY_REQUESTS = 429

async function answerWithin(
  ms: number,
  client: HttpClient,
  request: PipelineRequest,
): Promise<PipelineResponse> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), ms)
  request.abortSignal = deadline.signal
  try {
    return await client.sendRequest(request)
  } catch (cause) {
    if (!deadline.signal.aborted) throw cause
    throw new Error(`no answer within ${ms} ms`, { cause })
  } finally {
    clearTimeout(timer)
  }
}
