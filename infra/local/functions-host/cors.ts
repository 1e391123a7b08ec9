import type { Answer } from './http-front.ts'
import { joinHeaders, type IncomingHttp } from './http-message.ts'

/**
 * Lets browsers of the given origins call (`*`: every one), as `Host.CORS` of local.settings.json does in Core Tools.
 * Preflight requests are answered here and reach no function (Fetch Standard, CORS protocol).
 */
export async function answerCors(
  origins: readonly string[],
  request: IncomingHttp,
  handle: (request: IncomingHttp) => Promise<Answer>,
): Promise<Answer> {
  const sent = joinHeaders(request.rawHeaders)
  const origin = sent['origin']
  const isAllowed = origin !== undefined && (origins.includes(origin) || origins.includes('*'))
  if (!isAllowed) return handle(request)
  const allowance = { 'access-control-allow-origin': origin, vary: 'Origin' }
  const method = sent['access-control-request-method']
  if (request.method === 'OPTIONS' && method !== undefined) {
    const headers = sent['access-control-request-headers']
    return {
      status: 204,
      headers: {
        ...allowance,
        'access-control-allow-methods': method,
        ...(headers === undefined ? {} : { 'access-control-allow-headers': headers }),
      },
    }
  }
  const answer = await handle(request)
  return { ...answer, headers: { ...answer.headers, ...allowance } }
}
