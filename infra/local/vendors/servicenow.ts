import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp } from '../http-server.ts'
import { answerRequest, operationOf } from './servicenow/api.ts'
import { ServiceNowControl } from './servicenow/control.ts'
import type { TwinOptions } from './servicenow/twin.ts'

export type ServiceNowOptions = EmulatorOptions & TwinOptions
export type { ServiceNowControl } from './servicenow/control.ts'
export { readIncidentLog } from './servicenow/incident-log.ts'

/**
 * A ServiceNow instance on 127.0.0.1: OAuth, Table, Batch and Import Set API, access rules, rate limits and the business
 * rule that posts signed webhooks. It behaves as `facts/providers.md` section A tells of the vendor, quirks included.
 */
export async function startServiceNow(
  options: ServiceNowOptions = {},
): Promise<Emulator<ServiceNowControl>> {
  const control = new ServiceNowControl(options)
  const { parts, batchQuota } = control
  const api = {
    ...parts,
    batchQuota,
    signedInUser: () => control.signedInUser(),
    enterItem: (operation: string) => control.enterItem(operation),
  }
  const server = await serveHttp({
    port: options.port ?? 0,
    latencyMs: options.latencyMs ?? 0,
    control,
    operation: operationOf,
    handle: (request) => answerRequest(request, api),
  })
  return {
    name: 'servicenow',
    settings: {
      SERVICENOW_URL: server.origin,
      SERVICENOW_CLIENT_ID: parts.credentials.clientId,
      SERVICENOW_CLIENT_SECRET: parts.credentials.clientSecret,
    },
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await parts[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}
