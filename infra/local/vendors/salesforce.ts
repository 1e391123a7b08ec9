import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp } from '../http-server.ts'
import { answerRequest, operationOf } from './salesforce/api.ts'
import { SalesforceControl } from './salesforce/control.ts'
import type { TwinOptions } from './salesforce/twin.ts'

export type SalesforceOptions = EmulatorOptions & TwinOptions
export type { SalesforceControl } from './salesforce/control.ts'

/**
 * A Salesforce organisation on 127.0.0.1: OAuth, SOQL with locators, sObject rows and collections, the recycle bin, the
 * daily quota and the Apex trigger that posts signed webhooks. It behaves as `facts/providers.md` section B tells of the
 * vendor, quirks included.
 */
export async function startSalesforce(
  options: SalesforceOptions = {},
): Promise<Emulator<SalesforceControl>> {
  const control = new SalesforceControl(options)
  const { parts } = control
  const servers = new AsyncDisposableStack()
  let instance = ''
  const oauth = {
    sessions: parts.sessions,
    client: parts.client,
    user: parts.user,
    instanceUrl: () => instance,
    nowMs: () => control.clock.now(),
  }
  const api = { ...parts, oauth, plannedError: () => control.plannedError() }
  const serve = async (port: number) => {
    const server = servers.use(
      await serveHttp({
        port,
        latencyMs: options.latencyMs ?? 0,
        control,
        operation: operationOf,
        handle: (request) => answerRequest(request, api),
      }),
    )
    instance = server.origin
    return server
  }
  const server = await serve(options.port ?? 0)
  control.onMove(() => serve(0))
  return {
    name: 'salesforce',
    settings: {
      SALESFORCE_URL: server.origin,
      SALESFORCE_CLIENT_ID: parts.client.clientId,
      SALESFORCE_CLIENT_SECRET: parts.client.clientSecret,
    },
    control,
    [Symbol.asyncDispose]: async () => {
      await servers.disposeAsync()
      await parts[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}
