import { z } from 'zod'
import type { App } from '../app.ts'
import { codeOf, explain } from '../core/errors.ts'
import type { FunctionApp } from './host.ts'
import { bearerOf, httpHandler, parseBody, readBytes, refusalOf, sourceIpOf } from './http.ts'
import { invocationLog } from './observe.ts'

const BODY_LIMIT = 16 * 1024
const RETRY_AFTER_SECONDS = '30'

const requestShape = z.object({
  userSysId: z.string().min(1).max(200),
  instanceUrl: z.string().min(1).max(300),
})

export function registerOAuthRefresh(host: FunctionApp, app: App): void {
  host.http('oauth-refresh', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'api/oauth-refresh',
    handler: httpHandler(async (request, context) => {
      const source = sourceIpOf(request, app.settings.limits.trustedProxyHops)
      const refusal = await refusalOf(app, { endpoint: 'oauth-refresh', source }, context)
      if (refusal) return refusal
      const credentials = await app.credentials()
      const caller = await credentials.deviceCaller(bearerOf(request), app.verifyBearer)
      const body = parseBody(await readBytes(request, BODY_LIMIT), requestShape)
      try {
        const token = await credentials.refreshForDevice({ caller, ...body })
        return { status: 200, headers: { 'cache-control': 'no-store' }, jsonBody: token }
      } catch (error) {
        if (codeOf(error) !== 'token_refresh_failed') throw error
        const correlationId = context.invocationId
        invocationLog.warn(`a phone got no token: ${explain(error)}`, { correlationId })
        return {
          status: 500,
          headers: { 'retry-after': RETRY_AFTER_SECONDS },
          jsonBody: { error: 'Token refresh failed', code: 'token_refresh_failed', correlationId },
        }
      }
    }),
  })
}
