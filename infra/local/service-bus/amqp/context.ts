import type { Connection, link as Link, Session } from 'rhea'
import type { Broker, Channel } from '../broker.ts'
import { entityPath, type SharedKey } from '../sas.ts'
import type { Calls } from './calls.ts'
import { CONDITIONS, entityNotFound, refusal, type Refusal } from './conditions.ts'
import type { Pump } from './pump.ts'
import { clearTermini } from './rhea-internals.ts'

/** What all links of the server share. */
export interface ServerContext {
  readonly broker: Broker
  readonly calls: Calls
  readonly sharedKey: SharedKey
  readonly maxMessageBytes: number
  pump(channel: Channel): Pump
  client(connection: Connection): Client
}

/** One connection. */
export interface Client {
  /** Paths that its tokens entitle to, in lower case; the empty path is the whole namespace. */
  readonly entitled: Set<string>
  /** Run when the connection is gone. */
  readonly closers: Set<() => void>
  /** Links on which replies to requests go out, by the AMQP session that request and reply share. */
  readonly replies: Map<Session, Set<Link>>
}

/** Where a link leads. */
export interface Address {
  readonly path: string
  readonly isManagement: boolean
}

export function parseAddress(address: string): Address {
  const path = entityPath(address)
  const isManagement = /\/\$management$/i.test(path)
  return { path: isManagement ? path.slice(0, -'/$management'.length) : path, isManagement }
}

/** The channel at an address, or why this client may not have it. */
export function resolve(
  context: ServerContext,
  connection: Connection,
  address: Address,
): Channel | Refusal {
  const { entitled } = context.client(connection)
  const path = `${address.path}${address.isManagement ? '/$management' : ''}`.toLowerCase()
  const allowed = [...entitled].some(
    (granted) => granted === '' || path === granted || path.startsWith(`${granted}/`),
  )
  if (!allowed) {
    return refusal(CONDITIONS.unauthorized, `No token was put for 'sb://…/${address.path}'.`)
  }
  return context.broker.channel(address.path) ?? entityNotFound(connection.hostname, address.path)
}

export function isRefusal(value: Channel | Refusal): value is Refusal {
  return 'condition' in value
}

/** Refuses a link: attach without termini, then detach with the error. */
export function refuseLink(link: Link, error: Refusal): void {
  clearTermini(link)
  link.open()
  link.close(error)
}
