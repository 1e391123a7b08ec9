import type { Headers, Reader } from './events/meaning.ts'
import { parseJson } from './places.ts'
import type { LeafScheme, Place, Scheme } from './scheme.ts'

const BLANK = '[removed]'

/** What a replay needs of the headers: no signature, no token, no cookie. */
export function keptHeaders(reader: Reader, headers: Headers): Readonly<Record<string, string>> {
  const names = ['content-type', 'content-encoding', ...reader.headers]
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

/** The body without what proves the sender: the same bytes for all schemes whose proof stands elsewhere. */
export function withoutProof(scheme: Scheme, rawBody: Uint8Array): Uint8Array {
  if (scheme.acknowledgement === 'salesforce-soap') return withoutSession(rawBody)
  const paths = leavesOf(scheme)
    .flatMap(proofPlaces)
    .flatMap((place) => (place.in === 'json' ? [place.path] : []))
  if (paths.length === 0) return rawBody
  try {
    return Buffer.from(JSON.stringify(paths.reduce<unknown>(blanked, parseJson(rawBody))))
  } catch {
    // Nested deeper than the stack: better nothing than the proof.
    return Buffer.from(BLANK)
  }
}

function leavesOf(scheme: Scheme): readonly LeafScheme[] {
  return scheme.kind === 'choice' ? scheme.of.map((option) => option.scheme) : [scheme]
}

function proofPlaces(scheme: LeafScheme): readonly Place[] {
  switch (scheme.kind) {
    case 'token':
      return scheme.at
    case 'jwt':
      return [scheme.at]
    case 'signed':
    case 'http-signature':
      return []
  }
}

function blanked(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return BLANK
  if (step === '*') {
    return Array.isArray(value) ? value.map((element: unknown) => blanked(element, rest)) : value
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return value
  return { ...value, [step]: blanked(Reflect.get(value, step), rest) }
}

/** An outbound message may carry the id of a live session of its user. */
function withoutSession(rawBody: Uint8Array): Uint8Array {
  const text = Buffer.from(rawBody).toString('utf8')
  return Buffer.from(text.replace(/(<(?:[\w.-]+:)?SessionId>)[^<]*/g, `$1${BLANK}`))
}
