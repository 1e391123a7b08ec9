import type { LocalRequest } from '../http-server.ts'
import type { Answer, ContainerPlace } from './answer.ts'
import type { Container } from './container.ts'
import type { Route } from './route.ts'
import type { Store } from './store.ts'

/** One authorized request and what it is about. */
export interface Call {
  readonly store: Store
  readonly request: LocalRequest
  readonly route: Route
  /** The emulator's clock, milliseconds since the epoch. */
  readonly nowMs: number
}

/** Adds what every answer about a container's items carries. */
export function about(call: Call, state: Container, answer: Answer): Answer {
  return { ...answer, container: placeOf(call, state) }
}

export function placeOf({ route }: Call, state: Container): ContainerPlace {
  return { state, path: route.segments.slice(0, 4).join('/') }
}
