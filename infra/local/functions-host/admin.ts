import { z } from 'zod'
import type { HostedFunction } from './functions.ts'
import type { Answer } from './http-front.ts'
import { joinHeaders, joinQuery, type IncomingHttp } from './http-message.ts'
import { isAuthorized, presentedKey, type HostKeys } from './keys.ts'

export interface AdminParts {
  readonly origin: string
  readonly keys: HostKeys
  readonly startedMs: number
  readonly functions: () => readonly HostedFunction[]
  /** Starts the function with the input text and does not wait for its end; false when its trigger takes none. */
  readonly fire: (fn: HostedFunction, input: string) => boolean
  readonly routePrefix: string
}

const inputShape = z.object({ input: z.string().optional() })

/** Answers `/admin/...` as the host does, or undefined for every other path. All but the ping need the master key. */
export function answerAdmin(parts: AdminParts, request: IncomingHttp): Answer | undefined {
  const path = (request.target.split('?', 1)[0] ?? '/').replace(/\/$/, '')
  if (!/^\/(admin|runtime)(\/|$)/i.test(path)) return undefined
  if (/^\/admin\/host\/ping$/i.test(path)) return { status: 200 }
  const key = presentedKey(joinHeaders(request.rawHeaders), joinQuery(request.target))
  if (!isAuthorized('admin', key, parts.keys)) return { status: 401 }
  const [, , area = '', name = ''] = path.split('/')
  switch (`${request.method} ${area.toLowerCase()}`) {
    case 'GET host':
      return name.toLowerCase() === 'status' ? json(200, status(parts)) : { status: 404 }
    case 'GET functions': {
      const listed = parts.functions().map((fn) => describe(parts, fn))
      if (name === '') return json(200, listed)
      const one = listed.find((fn) => fn.name.toLowerCase() === name.toLowerCase())
      return one ? json(200, one) : { status: 404 }
    }
    case 'POST functions':
      return fire(parts, name, request.body)
    default:
      return { status: 404 }
  }
}

function fire(parts: AdminParts, name: string, body: Buffer): Answer {
  const fn = parts.functions().find((own) => own.name.toLowerCase() === name.toLowerCase())
  if (!fn) return { status: 404 }
  const parsed = inputShape.safeParse(parseJson(body))
  if (!parsed.success) return json(400, { error: 'expected {"input": "<text>"}' })
  return parts.fire(fn, parsed.data.input ?? '')
    ? { status: 202 }
    : json(400, { error: `${fn.name} is called at its own route, not here` })
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

function status({ startedMs }: AdminParts): object {
  return {
    id: 'local',
    state: 'Running',
    version: '4.1037.0.0',
    versionDetails: '4.1037.0',
    platformVersion: '',
    instanceId: String(process.pid),
    computerName: '',
    processUptime: Math.round(performance.now() - startedMs),
    functionAppContentEditingState: 'NotAllowed',
  }
}

function describe({ origin, routePrefix }: AdminParts, fn: HostedFunction) {
  const { trigger } = fn
  const path = trigger.kind === 'http' ? [routePrefix, trigger.route].filter(Boolean).join('/') : ''
  const bindings = Object.entries(fn.registration.metadata.bindings)
  return {
    name: fn.name,
    href: `${origin}/admin/functions/${fn.name}`,
    language: 'node',
    isDisabled: fn.disabled,
    isDirect: trigger.kind === 'http',
    invoke_url_template: trigger.kind === 'http' ? `${origin}/${path}` : null,
    config: { name: fn.name, bindings: bindings.map(([name, binding]) => ({ ...binding, name })) },
  }
}

function json(statusCode: number, value: unknown): Answer {
  return {
    status: statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: Buffer.from(JSON.stringify(value)),
  }
}
