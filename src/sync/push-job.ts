import { canonicalJson, type JsonObject } from '../core/canonical-json.ts'
import type { Stored } from '../core/collection.ts'
import { addMs } from '../core/time.ts'
import { adoptRow, mergeRow } from './merge.ts'
import { mergeDeletion } from './deletion.ts'
import { draftOf, finish, linkOf, type Merged } from './draft.ts'
import { decode, encode } from './mapping.ts'
import type { SourceRow, VendorWrite, WriteOutcome } from './ports.ts'
import {
  delayPush,
  noteVersion,
  outdatePush,
  parkPush,
  pushOf,
  putOffPush,
  recordPush,
  type Push,
} from './push.ts'
import { markerOf, type IncomingRow, type RecordDocument } from './record.ts'
import type { TaskSide } from './sides.ts'

/** Something learned about a record on the other side. It can be told to the record as it is now, and told again. */
export type Step = (record: RecordDocument) => Merged

/** A record on its way to one connection. */
export interface Job {
  readonly stored: Stored<RecordDocument>
  /** What was learned so far; nothing of it is stored yet. */
  readonly steps: readonly Step[]
  /** An external row that is this record from now on. */
  readonly linked?: string
  readonly report?: Report
}

/** For the result that an operator reads. */
export interface Report {
  readonly operation: 'create' | 'update' | 'delete'
  readonly externalId: string | null
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean }
}

export interface JobContext {
  readonly side: TaskSide
  readonly now: Date
}

/** The record after everything that was learned. Conflicts of all steps are kept. */
export function replay(record: RecordDocument, steps: readonly Step[]): Merged {
  const conflicts = new Map<string, Merged['conflicts'][number]>()
  let at = record
  for (const step of steps) {
    const merged = step(at)
    for (const conflict of merged.conflicts) conflicts.set(conflict.id, conflict)
    at = merged.record
  }
  return {
    record: at === record ? at : { ...at, rev: record.rev + 1 },
    conflicts: [...conflicts.values()],
    changed: at !== record,
  }
}

export function stateOf({ stored, steps }: Job): RecordDocument {
  return replay(stored.document, steps).record
}

export function withStep(job: Job, step: Step, report?: Report): Job {
  return { ...job, steps: [...job.steps, step], ...(report ? { report } : {}) }
}

/** What the other side has now was read. */
export function seen(job: Job, row: SourceRow, { side, now }: JobContext): Job {
  const incoming = decoded(row, side)
  if (!incoming) return unreadable(job, row, { side, now })
  const merged = withStep(job, (record) => mergeRow(record, incoming, { side, now }))
  return withStep(merged, (record) => noteVersion(record, row.version, { side, now }))
}

/** Nothing is written over a row that cannot be read. */
function unreadable(job: Job, { externalId }: SourceRow, context: JobContext): Job {
  const error = {
    code: 'mapping_failed',
    message: 'the row there does not fit the mapping',
    retryable: false,
  }
  return parkedJob(job, { operation: 'update', externalId, error }, context)
}

function decoded(row: SourceRow, side: TaskSide): IncomingRow | undefined {
  const found = decode(side.mapping, row.values)
  if (!found.ok) return undefined
  return { externalId: row.externalId, version: row.version, fields: found.fields }
}

export function foundGone(job: Job, { side, now }: JobContext): Job {
  const at = now.toISOString()
  return withStep(job, (record) => mergeDeletion(record, { side, at, now }))
}

/** A create of an earlier try was found by its marker. */
export function foundCreated(job: Job, row: SourceRow, { side, now }: JobContext): Job {
  const incoming = decoded(row, side)
  if (!incoming) return unreadable(job, row, { side, now })
  const adopted = withStep(job, (record) =>
    linkOf(record, side.connectionId).externalId === null
      ? adoptRow(record, incoming, { side, now })
      : finish(draftOf(record, now)),
  )
  return { ...adopted, linked: row.externalId }
}

export type Encoding =
  | {
      readonly kind: 'write'
      readonly push: Exclude<Push, { kind: 'nothing' }>
      readonly write: VendorWrite
    }
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'unencodable'
      readonly reason: { readonly code: string; readonly message: string }
    }

/** The call that makes the other side agree. */
export function encodePush(record: RecordDocument, side: TaskSide): Encoding {
  const push = pushOf(record, side)
  if (push.kind === 'nothing') return { kind: 'nothing' }
  const link = linkOf(record, side.connectionId)
  const marker = markerOf(record.id, link.generation)
  const expected = link.version === null ? {} : { expected: link.version }
  if (push.kind === 'delete') {
    const { externalId } = push
    return {
      kind: 'write',
      push,
      write: { operation: 'delete', externalId, marker, values: {}, ...expected },
    }
  }
  const wanted = push.kind === 'create' ? { ...nullsOf(side), ...push.fields } : push.fields
  const encoded = encode(side.mapping, wanted)
  if (!encoded.ok) {
    const { code, message } = encoded.error
    return { kind: 'unencodable', reason: { code, message } }
  }
  const values = push.kind === 'create' ? withoutNulls(encoded.values) : encoded.values
  const call =
    push.kind === 'create'
      ? { operation: push.kind, marker, values }
      : { operation: push.kind, externalId: push.externalId, marker, values, ...expected }
  return { kind: 'write', push, write: call }
}

/** So that a required field that is missing is noticed. */
function nullsOf({ mapping }: TaskSide): JsonObject {
  const required = mapping.fields.filter((field) => field.required)
  return Object.fromEntries(required.map(({ local }) => [local, null]))
}

function withoutNulls(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
}

/** A record that waits for another is looked at again so often. */
const WAIT_MS = 15_000

export interface Retries {
  readonly maxAttempts: number
  readonly retryAt: (attempt: number) => Date
}

/** What the vendor's answer to a write means for the record. */
export function answered(
  job: Job,
  { push, outcome }: { push: Exclude<Push, { kind: 'nothing' }>; outcome: WriteOutcome },
  context: JobContext & { readonly retries: Retries },
): Job {
  const { side, now, retries } = context
  const link = linkOf(job.stored.document, side.connectionId)
  const of = { operation: push.kind, externalId: link.externalId }
  if (outcome.kind === 'done') return succeeded(job, { push, outcome }, context)
  if (outcome.kind === 'gone' && push.kind === 'delete') {
    const pushed = { externalId: push.externalId }
    return withStep(job, (record) => recordPush(record, { push, pushed }, { side, now }), of)
  }
  if (outcome.kind === 'waits') {
    const retryAt = addMs(now, WAIT_MS)
    return withStep(job, (record) => putOffPush(record, retryAt, { side, now }))
  }
  const error = errorOf(outcome)
  const attempt = (link.attempts ?? 0) + 1
  if (outcome.kind === 'rejected' || outcome.kind === 'refused' || attempt > retries.maxAttempts) {
    return parkedJob(job, { ...of, error }, context)
  }
  const retryAt = hasMoved(outcome) ? now : retries.retryAt(attempt)
  return withStep(job, (record) => delayPush(record, retryAt, { side, now }), {
    ...of,
    error: { ...error, retryable: true },
  })
}

/** The row is another than we thought: it is read and merged at once. */
function hasMoved({ kind }: WriteOutcome): boolean {
  return kind === 'conflict' || kind === 'gone'
}

export function parkedJob(
  job: Job,
  report: Report & { readonly error: { readonly code: string; readonly message: string } },
  { side, now }: JobContext,
): Job {
  const { code, message } = report.error
  const tried = contentOf(stateOf(job))
  const step: Step = (record) =>
    contentOf(record) === tried
      ? parkPush(record, { code, message }, { side, now })
      : outdatePush(record, { side, now })
  return withStep(job, step, { ...report, error: { code, message, retryable: false } })
}

function contentOf({ fields, deleted }: RecordDocument): string {
  return canonicalJson({ fields, isDeleted: deleted !== null })
}

function succeeded(
  job: Job,
  of: {
    push: Exclude<Push, { kind: 'nothing' }>
    outcome: Extract<WriteOutcome, { kind: 'done' }>
  },
  { side, now }: JobContext,
): Job {
  const { push, outcome } = of
  const { externalId, version, values } = outcome
  const row =
    values &&
    version &&
    decoded({ externalId, version, values, cursor: { time: version.time, id: externalId } }, side)
  const pushed = { externalId, version, row }
  const job2 = withStep(job, (record) => recordPush(record, { push, pushed }, { side, now }), {
    operation: push.kind,
    externalId,
  })
  return push.kind === 'create' ? { ...job2, linked: externalId } : job2
}

function errorOf(outcome: Exclude<WriteOutcome, { kind: 'done' | 'waits' }>) {
  switch (outcome.kind) {
    case 'conflict':
      return { code: 'conflict', message: 'it changed there meanwhile', retryable: true }
    case 'gone':
      return { code: 'gone', message: 'it is not there any more', retryable: true }
    case 'rejected':
      return { code: outcome.code, message: outcome.reason, retryable: false }
    case 'unknown':
      return { code: 'outcome_unknown', message: outcome.reason, retryable: true }
    case 'retry':
      return { code: 'vendor_failed', message: outcome.reason, retryable: true }
    case 'refused':
      return { code: outcome.code, message: outcome.reason, retryable: false }
  }
}
