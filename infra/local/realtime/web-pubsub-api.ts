import type { VirtualClock } from '../clock.ts'
import type { LocalResponse } from '../http-server.ts'
import { audience, hubNamed, type Hub, type Target } from './hub.ts'
import { parseFilter, type Filter } from './odata-filter.ts'
import { failure } from './routes.ts'
import type { Effect } from './web-pubsub-hub.ts'
import type { Session } from './web-pubsub-session.ts'

/** What the operations of the REST API work on. */
export interface WebPubSubApi {
  readonly hubs: Map<string, Hub<Session>>
  readonly clock: VirtualClock
  readonly accessKey: string
  readonly perform: (effects: readonly Effect[]) => void
}

export type HubPath = Target & { readonly hub: string }

export const ok: LocalResponse = { status: 200 }
export const accepted: LocalResponse = { status: 202 }
export const noContent: LocalResponse = { status: 204 }

export function hubOf(api: WebPubSubApi, { hub }: { readonly hub: string }): Hub<Session> {
  return hubNamed(api.hubs, hub)
}

/** The sessions that a path means. */
export function present(api: WebPubSubApi, path: HubPath): readonly Session[] {
  return audience(hubOf(api, path), path)
}

/** Answers 400 in the service's own words when the filter is malformed. */
export function withFilter(
  text: string | null | undefined,
  act: (matches: Filter) => LocalResponse,
): LocalResponse {
  const filter = parseFilter(text)
  return filter.valid ? act(filter.matches) : failure(400, 'BadRequest', filter.message)
}

export function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1
}
