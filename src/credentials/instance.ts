import { instanceOrigin, type Connection } from '../core/connection.ts'

/**
 * The registered connection to exactly the instance that a caller names; undefined when there is none. The text is only
 * compared: whatever is called afterwards is the registered origin, never the caller's.
 */
export function registeredInstance(
  text: string,
  connections: readonly Connection[],
): { readonly connection: Connection; readonly origin: string } | undefined {
  const asked = originOf(text)
  if (asked === undefined) return undefined
  const connection = connections.find((one) => instanceOrigin(one) === asked)
  return connection && { connection, origin: asked }
}

/** The origin of an address that is an origin and nothing else: no user, path, query, or odd spelling of a host. */
function originOf(text: string): string | undefined {
  // URL parsers drop tabs and line ends, map wide letters to narrow ones and take backslashes for slashes.
  if (!/^[a-z]+:\/\/[\x21-\x7e]{1,300}$/i.test(text) || /[\\%?#@]/.test(text)) return undefined
  if (/^[a-z]+:\/\/[^/]*\/./i.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).origin
}
