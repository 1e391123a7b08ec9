/** A table, an object or a repository of the vendor, and what an administrator there has made for us. */
export interface StreamSettings {
  readonly object?: string
  readonly markerField?: string
  readonly deletions?: 'log' | 'ids'
}

/** A system that a tenant has connected. Calls go to its own host and nowhere else. */
export interface Connection {
  readonly id: string
  readonly tenantId: string
  readonly integrationId: string
  readonly label: string
  readonly config: {
    readonly instanceUrl: string
    /** By entity type: what the vendor calls it, and how it is to be read, where the connector cannot know. */
    readonly streams?: Readonly<Record<string, StreamSettings>>
  }
  readonly credentialId: string
  /** Its own limits, where they are not those of its integration: calls per minute, and per day. */
  readonly limits?: { readonly connection?: number; readonly day?: number }
}

/** The origin of a connection's instance; undefined unless it is https, or http on this very machine. */
export function instanceOrigin({ config }: Connection): string | undefined {
  if (!URL.canParse(config.instanceUrl)) return undefined
  const { protocol, hostname, origin, username, password } = new URL(config.instanceUrl)
  if (username !== '' || password !== '') return undefined
  const local = hostname === '127.0.0.1' || hostname === 'localhost'
  return protocol === 'https:' || (protocol === 'http:' && local) ? origin : undefined
}
