import type { Json, JsonObject } from '../../core/canonical-json.ts'
import type { VendorRow, VendorWrite } from '../connector.ts'
import { isObject } from '../json.ts'

/**
 * An issue cannot carry an id of ours, so a comment that nobody sees stands at the end of its text; a second kind says
 * that the record was deleted elsewhere, for an issue can only be closed.
 */
const TRAILER = /(?:\s*<!-- syncline(?::[\w.:-]{1,100}|-deleted) -->)+\s*$/
const MARKER = /<!-- syncline:([\w.:-]{1,100}) -->/
const DELETED = '<!-- syncline-deleted -->'
const NOT_PLANNED = 'not_planned'

/** The marker that an issue carries. */
function markerIn(issue: Json | undefined): string | undefined {
  const body = isObject(issue) ? issue['body'] : undefined
  return typeof body === 'string' ? MARKER.exec(trailerOf(body))?.[1] : undefined
}

function trailerOf(body: string): string {
  return TRAILER.exec(body)?.[0] ?? ''
}

/** The text with the marker that the former one had. */
function keepingMarker(text: string, former: string): string {
  const marker = MARKER.exec(trailerOf(former))?.[0]
  return marker === undefined ? text : `${text}\n\n${marker}`.trimStart()
}

/** `YYYY-MM-DDTHH:mm:ssZ` as ISO 8601 with milliseconds; numbers padded, so that they compare as texts. */
export function rowOf(value: Json | undefined): VendorRow | undefined {
  if (!isObject(value)) return undefined
  const { number, updated_at: stamp, body } = value
  const ms = typeof stamp === 'string' ? Date.parse(stamp) : Number.NaN
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || Number.isNaN(ms))
    return undefined
  const time = new Date(ms).toISOString()
  const text = typeof body === 'string' ? body.replace(TRAILER, '') : (body ?? null)
  const marker = markerIn(value)
  const row: VendorRow = {
    externalId: String(number),
    cursor: { time, id: String(number).padStart(10, '0') },
    version: { time, count: 0 },
    values: { ...value, body: text },
    ...(marker === undefined ? {} : { marker }),
  }
  return isTombstone(value) ? { ...row, deleted: true } : row
}

/** Closed by us in place of a deletion. Whoever opens it again brings the record back. */
function isTombstone({ state, state_reason: reason, body }: JsonObject): boolean {
  const isClosed = state === 'closed' && (reason ?? NOT_PLANNED) === NOT_PLANNED
  return isClosed && typeof body === 'string' && trailerOf(body).includes(DELETED)
}

/** Pull requests stand in the list of issues. */
export function isPullRequest(value: Json): boolean {
  return isObject(value) && isObject(value['pull_request'])
}

/** What a new issue may say at once; that it is closed can only be said afterwards. */
export function newIssue({ values, marker }: VendorWrite): JsonObject {
  const { state: _later, state_reason: _reason, body, ...rest } = values
  const text = typeof body === 'string' && body !== '' ? `${body}\n\n` : ''
  return { ...rest, body: `${text}<!-- syncline:${marker} -->` }
}

export function closing({ values }: VendorWrite): JsonObject | undefined {
  const { state, state_reason: reason } = values
  if (state !== 'closed') return undefined
  return reason === undefined ? { state } : { state, state_reason: reason }
}

export function changedIssue({ values }: VendorWrite, former: JsonObject): JsonObject {
  const formerBody = typeof former['body'] === 'string' ? former['body'] : ''
  const { body } = values
  // Opened again, it is no tombstone any more, whoever closes it later.
  const revived = values['state'] === 'open' && isTombstone(former)
  if (body === undefined && !revived) return values
  const text = body === undefined ? formerBody.replace(TRAILER, '') : textOf(body)
  return { ...values, body: keepingMarker(text, formerBody) }
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : ''
}

export function deletedIssue(former: JsonObject): JsonObject {
  const body = typeof former['body'] === 'string' ? former['body'].trimEnd() : ''
  const marked = trailerOf(body).includes(DELETED) ? body : `${body}\n\n${DELETED}`.trimStart()
  return { state: 'closed', state_reason: NOT_PLANNED, body: marked }
}
