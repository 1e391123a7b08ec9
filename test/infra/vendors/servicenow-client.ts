import { startServiceNow, type ServiceNowOptions } from '../../../infra/local/vendors/servicenow.ts'

const BASIC = `Basic ${btoa('syncline.integration:local-servicenow-password')}`

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; reading it fails when it is not. */
  readonly json: unknown
}

export interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** A twin and a small client of it that signs in as the integration user. */
export async function startTwin(options: ServiceNowOptions = {}) {
  const emulator = await startServiceNow(options)
  const url = emulator.settings['SERVICENOW_URL'] ?? ''
  const call = async (path: string, { method = 'GET', headers, body }: Call = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        authorization: BASIC,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return toAnswer(response)
  }
  const list = async (table: string, parameters: Readonly<Record<string, string>> = {}) => {
    const answer = await call(
      `/api/now/table/${table}?${new URLSearchParams(parameters).toString()}`,
    )
    return { ...answer, rows: resultOf(answer) as Record<string, string>[] } // what is asked for here
  }
  return {
    url,
    control: emulator.control,
    settings: emulator.settings,
    call,
    list,
    numbers: async (query: string) =>
      (await list('incident', { sysparm_query: query, sysparm_fields: 'number' })).rows.map(
        (row) => row['number'],
      ),
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}

export type Twin = Awaited<ReturnType<typeof startTwin>>

async function toAnswer(response: Response): Promise<Answer> {
  const { status, headers } = response
  const text = await response.text()
  return {
    status,
    headers,
    text,
    get json(): unknown {
      return JSON.parse(text)
    },
  }
}

/** `result` of an answer. */
export function resultOf({ json }: Answer): unknown {
  return (json as { result: unknown }).result // undefined when there is none
}
