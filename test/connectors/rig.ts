import { vendorClient, type Quota, type VendorClient } from '../../src/connectors/client.ts'
import type {
  Connector,
  Stream,
  VendorPageRequest,
  VendorRow,
} from '../../src/connectors/connector.ts'
import type { Control } from '../../infra/local/control.ts'

/** One stream of one connector at its twin, with what people do there. */
export interface Rig extends AsyncDisposable {
  readonly stream: Stream
  readonly client: VendorClient
  readonly control: Control
  /** The vendor's name of a text field that both sides write. */
  readonly field: string
  /** By people, in the present second of the vendor. */
  create(text: string): string
  edit(id: string, text: string): void
  remove(id: string): void
  commitLate(text: string, secondsAgo: number): string
  /** Nothing that is there may be seen any more. */
  hide(id: string): void
  /** Id and text of what is alive. */
  rows(): ReadonlyMap<string, string>
  expireTokens(): void
  /** The vendor counts its rows wrong by so much; absent where it tells no totals. */
  readonly lieAboutTotals?: (by: number) => void
  /** Every way of the vendor to ask for patience, and the wait that it names. */
  readonly throttles: Readonly<
    Record<string, { readonly set: () => void; readonly afterMs?: number }>
  >
  /** A page for people, instead of the next answers. */
  showPage(times: number, status: number): void
  /** Operations that read, and those that write. */
  readonly reads: string
  readonly writes: string
  /** Those that change a record. */
  readonly changes: string
  /** The vendor refuses the next record that is written, and only it. */
  refuseOne(): void
  readonly tokens: () => number
}

/** Limits that nobody reaches. */
export const boundless: Quota = { admit: async () => undefined, learnFrom: async () => {} }

interface ClientParts {
  readonly connector: Connector
  readonly origin: string
  readonly control: Control
  readonly token: () => Promise<{ readonly access_token: string; readonly instance_url?: string }>
}

/** The real client, with the twin's own tokens. */
export function clientFor({ connector, origin, control, token }: ClientParts) {
  let count = 0
  let held: Awaited<ReturnType<ClientParts['token']>> | undefined
  const client = vendorClient({
    origin,
    instanceDomains: connector.instanceDomains,
    finalRefusal: connector.finalRefusal,
    fetch,
    quota: boundless,
    now: () => new Date(control.clock.now()),
    authorize: async (refused) => {
      if (refused !== undefined || held === undefined) {
        count += 1
        held = await token()
      }
      return {
        kind: 'authorized',
        headers: { authorization: `Bearer ${held.access_token}` },
        ...(held.instance_url === undefined ? {} : { instanceUrl: held.instance_url }),
      }
    },
  })
  return { client, tokens: () => count }
}

export async function askForToken(url: string, form: Record<string, string>) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams(form),
  })
  return (await response.json()) as { access_token: string; instance_url?: string } // the twin's own answer
}

export const signal = new AbortController().signal

type After = VendorPageRequest['after']

/** Reads as a run does, from a place to the end; `between` happens before every page but the first. */
export async function readAll(
  { stream, client }: Rig,
  options: {
    readonly after?: After
    readonly limit: number
    readonly between?: (page: number) => void
  },
): Promise<VendorRow[]> {
  const rows: VendorRow[] = []
  let request: VendorPageRequest = { after: options.after ?? null, skip: 0, limit: options.limit }
  for (let pages = 1; ; pages += 1) {
    const page = await stream.fetchPage(client, request, signal)
    if (page.kind !== 'page') throw new Error(`${page.kind}: ${page.reason}`)
    if (pages > 2_000) throw new Error('it does not come to an end')
    rows.push(...page.rows)
    if (!page.more) return rows
    const last = page.rows.at(-1)
    request = last
      ? { ...request, after: last.cursor, skip: 0 }
      : { ...request, skip: request.skip + options.limit }
    options.between?.(pages)
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** What a reader holds who takes the latest version of each row. */
export function latest(rows: readonly VendorRow[], field: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const { externalId, values, deleted } of rows) {
    if (deleted) found.delete(externalId)
    else found.set(externalId, textOf(values[field]))
  }
  return found
}
