import { randomUUID } from 'node:crypto'
import type { LocalResponse } from '../http-server.ts'
import type { Container } from './container.ts'
import type { CosmosError } from './errors.ts'

/** A container as a replica has it, and where clients find it. */
export interface ContainerPlace {
  readonly state: Container
  readonly path: string
}

/** What a handler answers, before it becomes HTTP. */
export interface Answer {
  readonly status: number
  readonly body?: object | string
  readonly charge: number
  readonly headers?: Readonly<Record<string, string>>
  /** Set when the answer is about a container's items: adds the session token. */
  readonly container?: ContainerPlace
}

export function encodeAnswer({ status, body, charge, headers, container }: Answer): LocalResponse {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'x-ms-activity-id': randomUUID(),
      'x-ms-request-charge': String(charge),
      ...(container ? sessionHeaders(container) : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  }
}

export function encodeError(error: CosmosError): LocalResponse {
  return {
    status: error.status,
    headers: {
      'x-ms-activity-id': randomUUID(),
      'x-ms-request-charge': '1',
      ...(error.container ? sessionHeaders(error.container) : {}),
      ...(error.substatus === undefined ? {} : { 'x-ms-substatus': String(error.substatus) }),
    },
    body: { code: error.code, message: error.message },
  }
}

/** The client keeps tokens by the container's rid (8 bytes) and sends the latest one with every read. */
function sessionHeaders({ state, path }: ContainerPlace) {
  return {
    'x-ms-session-token': `0:-1#${state.lastLsn}`,
    'x-ms-content-path': state.rid,
    'x-ms-alt-content-path': path,
    lsn: String(state.lastLsn),
  }
}
