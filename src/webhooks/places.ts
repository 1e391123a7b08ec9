import type { Place, WebhookRequest } from './scheme.ts'

/** Values longer than this are not ids, tokens or timestamps. */
const MAX_VALUE_LENGTH = 8_192

type Source = Pick<WebhookRequest, 'headers' | 'url' | 'rawBody'>

/** A header that is there and says something. Inherited properties (`constructor`) are no headers. */
export function headerOf(
  headers: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

/**
 * Every value that stands in a place: none when the place is empty or the body cannot be read. Only a `json` path with
 * `*` gives more than one; there a list with a gap gives an empty text for the gap, so that it can never pass for full.
 */
export function valuesAt(place: Place, source: Source): readonly string[] {
  return read(place, source).map((value) => (value.length > MAX_VALUE_LENGTH ? '' : value))
}

/** The one value at a place, where exactly one stands there. */
export function valueAt(place: Place, source: Source): string | undefined {
  const [value, ...more] = valuesAt(place, source)
  return value === undefined || value === '' || more.length > 0 ? undefined : value
}

/** The parts of a delivery's id, joined; undefined when one of them is not there. */
export function deliveryIdAt(
  places: readonly Place[] | undefined,
  source: Source,
): string | undefined {
  const parts = places?.map((place) => valueAt(place, source)) ?? []
  return parts.length > 0 && parts.every((part) => part !== undefined) ? parts.join(':') : undefined
}

/** The body as JSON; undefined when it is none. */
export function parseJson(rawBody: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(rawBody).toString('utf8'))
  } catch {
    return undefined
  }
}

/** The URL's parts; undefined for what is none. */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** Form fields. Told apart from a query by hand, for URLSearchParams would swallow a leading `?`. */
export function parseForm(text: string): URLSearchParams {
  return new URLSearchParams(`&${text}`)
}

/** The query's parameters, also of a URL that only has a path. */
export function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?')
  return parseForm(start < 0 ? '' : (url.slice(start + 1).split('#', 1)[0] ?? ''))
}

function read(place: Place, source: Source): readonly string[] {
  switch (place.in) {
    case 'header':
      return withoutPrefix(headerOf(source.headers, place.name), place.prefix)
    case 'basic':
      return withoutPrefix(headerOf(source.headers, 'authorization'), 'Basic ').map((encoded) =>
        Buffer.from(encoded, 'base64').toString('utf8'),
      )
    case 'query':
      return queryOf(source.url).getAll(place.name)
    case 'json':
      return walk(parseJson(source.rawBody), place.path)
    case 'xml':
      return elements(Buffer.from(source.rawBody).toString('utf8'), place)
  }
}

function withoutPrefix(value: string | undefined, prefix = ''): readonly string[] {
  return value?.startsWith(prefix) === true ? [value.slice(prefix.length)] : []
}

function walk(value: unknown, [step, ...rest]: readonly string[]): readonly string[] {
  if (step === undefined) return scalar(value)
  if (step === '*') {
    if (!Array.isArray(value)) return []
    return value.flatMap((element: unknown) => orGap(walk(element, rest)))
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return []
  return walk(Reflect.get(value, step), rest)
}

function orGap(values: readonly string[]): readonly string[] {
  return values.length === 0 ? [''] : values
}

function scalar(value: unknown): readonly string[] {
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : []
}

/**
 * The text of simple elements, whatever their namespace prefix. It reads, it does not parse: a document that declares
 * entities or hides markup in comments or CDATA has no elements at all.
 */
function elements(xml: string, { element, parent }: Place & { in: 'xml' }): readonly string[] {
  if (xml.includes('<!')) return []
  const open = (name: string) => `<(?:[\\w.-]+:)?${name}(?:\\s[^<>]*)?>`
  const before = parent === undefined ? '' : `${open(parent)}\\s*`
  const pattern = new RegExp(`${before}${open(element)}([^<>]*)</`, 'g')
  return [...xml.matchAll(pattern)].map((match) => (match[1] ?? '').trim())
}
