import {
  fromHttpResult,
  joinHeaders,
  joinQuery,
  toHttpTrigger,
  type IncomingHttp,
} from './http-message.ts'
import type { Answer } from './http-front.ts'
import type { HostedFunction, HttpTrigger } from './functions.ts'
import type { InvocationResult, TriggerInput } from './invocation.ts'
import { isAuthorized, presentedKey, type HostKeys } from './keys.ts'
import { compileRoute, pathSegments, type Params, type RouteTemplate } from './route-template.ts'

export interface HttpRoute {
  readonly fn: HostedFunction
  readonly trigger: HttpTrigger
  readonly route: RouteTemplate
}

/** The routes of all HTTP functions under the prefix of host.json, best precedence first. */
export function buildRoutes(
  functions: readonly HostedFunction[],
  routePrefix: string,
): readonly HttpRoute[] {
  const prefix = routePrefix.replaceAll(/^\/+|\/+$/g, '')
  return functions
    .flatMap((fn) => {
      const { trigger } = fn
      if (trigger.kind !== 'http' || fn.disabled) return []
      const template = [prefix, trigger.route].filter((part) => part !== '').join('/')
      return [{ fn, trigger, route: compileRoute(template) }]
    })
    .sort((a, b) => comparePrecedence(a.route.precedence, b.route.precedence))
}

/** As decimals after a point: `1` before `16`, `14` before `4`. */
function comparePrecedence(a: string, b: string): number {
  return Number(`0.${a}0`) - Number(`0.${b}0`)
}

type Selection =
  | { readonly kind: 'found'; readonly route: HttpRoute; readonly params: Params }
  | { readonly kind: 'wrong-method'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' }

/**
 * Picks the route of a request: the best one that takes the method. When only others match the path the answer is 405
 * (RFC 9110 §15.5.6); the real host still says 404 there (azure-functions-host issue 10098), which tells a caller less.
 */
function selectRoute(routes: readonly HttpRoute[], method: string, rawPath: string): Selection {
  const segments = pathSegments(rawPath)
  const matching = routes.flatMap((route) => {
    const params = route.route.match(segments)
    return params ? [{ route, params }] : []
  })
  const found = matching.find(({ route }) => route.trigger.methods.includes(method))
  if (found) return { kind: 'found', ...found }
  if (matching.length === 0) return { kind: 'not-found' }
  const allow = new Set(matching.flatMap(({ route }) => route.trigger.methods))
  return { kind: 'wrong-method', allow: [...allow] }
}

type Invoke = (fn: HostedFunction, input: TriggerInput) => Promise<InvocationResult>

/** Answers one request by invoking its function. Errors say nothing about the function in their answer. */
export async function answerHttp(
  { routes, keys, invoke }: { routes: readonly HttpRoute[]; keys: HostKeys; invoke: Invoke },
  request: IncomingHttp,
): Promise<Answer> {
  const path = request.target.split('?', 1)[0] ?? '/'
  const selection = selectRoute(routes, request.method, path)
  if (selection.kind === 'not-found') return { status: 404 }
  if (selection.kind === 'wrong-method') {
    return { status: 405, headers: { allow: selection.allow.join(', ') } }
  }
  const { route, params } = selection
  const key = presentedKey(joinHeaders(request.rawHeaders), joinQuery(request.target))
  if (!isAuthorized(route.trigger.authLevel, key, keys)) return { status: 401 }
  const result = await invoke(route.fn, { data: toHttpTrigger(request, params) })
  return result.outcome === 'succeeded'
    ? fromHttpResult(result.response.returnValue)
    : { status: 500 }
}
