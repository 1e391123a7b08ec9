import { z } from 'zod'
import type { Emulator } from './emulator.ts'
import { Control, type ControlCommand } from './control.ts'
import { serveHttp, type HttpServer, type LocalRequest, type LocalResponse } from './http-server.ts'

const faultShape = z.strictObject({
  operation: z.string().optional(),
  times: z.int().positive().optional(),
  delayMs: z.number().nonnegative().optional(),
  status: z.int().min(100).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
  condition: z.string().optional(),
  connection: z.enum(['drop', 'lose-answer']).optional(),
})
const advanceShape = z.strictObject({ advanceMs: z.number().nonnegative() })

/**
 * The control channels of all emulators over HTTP, on a port of its own:
 * `GET /{name}` inspects, `GET /{name}/calls` counts, `DELETE /{name}/calls` starts the count anew,
 * `POST /{name}/clock {"advanceMs"}` steps the clock, `POST /{name}/faults` plans a fault, `DELETE /{name}/faults` forgets them,
 * `POST /{name}/commands/{command}` does what only this emulator can.
 */
export function serveControl(emulators: readonly Emulator[], port = 0): Promise<HttpServer> {
  const byName = new Map(emulators.map((emulator) => [emulator.name, emulator.control]))
  return serveHttp({
    port,
    control: new Control(() => [...byName.keys()]),
    operation: ({ method, url }) => `${method} ${url.pathname}`,
    handle: (request) => route(byName, request),
  })
}

function route(
  byName: ReadonlyMap<string, Control>,
  request: LocalRequest,
): LocalResponse | Promise<LocalResponse> {
  const [name = '', what = '', command = ''] = request.url.pathname.slice(1).split('/')
  if (name === '') return { status: 200, body: { emulators: [...byName.keys()] } }
  const control = byName.get(name)
  if (!control)
    return {
      status: 404,
      body: { error: `no emulator is called ${name}`, emulators: [...byName.keys()] },
    }
  switch (`${request.method} ${what}`) {
    case 'GET ':
      return { status: 200, body: { state: control.inspect() } }
    case 'GET calls':
      return { status: 200, body: control.calls() }
    case 'DELETE calls':
      control.resetCalls()
      return { status: 204 }
    case 'DELETE faults':
      control.clearFaults()
      return { status: 204 }
    case 'POST clock':
      return accept(advanceShape, request, ({ advanceMs }) => control.clock.advance(advanceMs))
    case 'POST faults':
      return accept(faultShape, request, (fault) => control.fail(withoutUndefined(fault)))
    case 'POST commands':
      return runCommand(control.commands(), command, request)
    default:
      return {
        status: 405,
        body: {
          error:
            'use GET /, /calls; DELETE /calls, /faults; POST /clock, /faults, /commands/{command}',
        },
      }
  }
}

async function runCommand(
  commands: Readonly<Record<string, ControlCommand>>,
  name: string,
  request: LocalRequest,
): Promise<LocalResponse> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command)
    return {
      status: 404,
      body: { error: `no command is called ${name}`, commands: Object.keys(commands) },
    }
  try {
    return { status: 200, body: { answer: (await command(parseJson(request.body))) ?? null } }
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return { status: 400, body: { error: z.prettifyError(error) } }
  }
}

function accept<T>(
  shape: z.ZodType<T>,
  request: LocalRequest,
  effect: (value: T) => void,
): LocalResponse {
  const parsed = shape.safeParse(parseJson(request.body))
  if (!parsed.success) return { status: 400, body: { error: z.prettifyError(parsed.error) } }
  effect(parsed.data)
  return { status: 204 }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

/** zod's optional fields may hold undefined; ours may not. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  } // the filter above is exactly what the type says
}
