import type {
  FoundByMarker,
  PushAbilities,
  VendorProblem,
  VendorWrite,
  WriteOutcome,
} from './ports.ts'
import { linkOf } from './draft.ts'
import { pushOf, type Push } from './push.ts'
import {
  answered,
  encodePush,
  foundCreated,
  foundGone,
  parkedJob,
  seen,
  stateOf,
  type Job,
  type JobContext,
  type Retries,
} from './push-job.ts'
import { markerOf } from './record.ts'

export interface Calling extends JobContext {
  readonly abilities: PushAbilities
  readonly retries: Retries
  readonly signal: AbortSignal
}

export interface Called {
  readonly jobs: readonly Job[]
  /** Set when the vendor takes no more calls for now; jobs that were not called are left out. */
  readonly problem?: VendorProblem
}

/** Rows that are read one by one before they are written, at a time. */
const READS_AT_A_TIME = 4

/**
 * Reads what the other side has where it must be known: creates that were perhaps done already are looked up by their
 * markers, and rows to be changed or deleted are read, unless the vendor itself compares before it writes.
 */
export async function lookBefore(jobs: readonly Job[], calling: Calling): Promise<Called> {
  const creates = jobs.filter((job) => pushOf(stateOf(job), calling.side).kind === 'create')
  const others = jobs.filter((job) => !creates.includes(job))
  const found = await findCreated(creates, calling)
  if (found.problem) return found
  const read = await readFirst(others, calling)
  return { ...read, jobs: [...found.jobs, ...read.jobs] }
}

async function findCreated(creates: readonly Job[], calling: Calling): Promise<Called> {
  const { abilities, side, signal } = calling
  // An upsert by external id makes no second row, but would write over what people have changed in the first one.
  if (creates.length === 0 || abilities.marker === 'none') return { jobs: creates }
  const markers = new Map(creates.map((job) => [job, markerOfJob(job, calling)]))
  const found: FoundByMarker = await abilities.findByMarker([...markers.values()], signal)
  if (found.kind !== 'found') return { jobs: [], problem: found }
  return {
    jobs: creates.map((job) => {
      const row = found.rows.get(markers.get(job) ?? '')
      return row ? foundCreated(job, row, { side, now: calling.now }) : job
    }),
  }
}

function markerOfJob(job: Job, { side }: Calling): string {
  const record = stateOf(job)
  return markerOf(record.id, linkOf(record, side.connectionId).generation)
}

/** Many rows at a call where the vendor can; those that it does not have are asked for one by one. */
async function readFirst(jobs: readonly Job[], calling: Calling): Promise<Called> {
  const unknown = jobs.filter((job) => isUnknown(job, calling))
  const ready = jobs.filter((job) => !unknown.includes(job))
  const many = await readMany(unknown, calling)
  if (many.problem) return { jobs: ready, problem: many.problem }
  ready.push(...many.jobs)
  const rest = unknown.filter(({ stored }) => !many.jobs.some((job) => job.stored === stored))
  for (let start = 0; start < rest.length; start += READS_AT_A_TIME) {
    const some = rest.slice(start, start + READS_AT_A_TIME)
    const read = await Promise.all(some.map((job) => readOne(job, calling)))
    for (const one of read) {
      if ('problem' in one) return { jobs: ready, problem: one.problem }
      ready.push(one)
    }
  }
  return { jobs: ready }
}

/** Whether nobody can say what the row is like: after a failed try, and after a write whose version was not told. */
function isUnknown({ stored }: Job, { abilities, side }: Calling): boolean {
  const link = linkOf(stored.document, side.connectionId)
  if (link.externalId === null) return false
  const { attempts = 0, version, pushedAt } = link
  const known = version !== null && attempts === 0 && pushedAt === undefined
  return !abilities.comparesAndSets || !known
}

async function readMany(jobs: readonly Job[], calling: Calling): Promise<Called> {
  const { abilities, side, signal } = calling
  if (!abilities.fetchMany || jobs.length < 2) return { jobs: [] }
  const idOf = ({ stored }: Job) => linkOf(stored.document, side.connectionId).externalId ?? ''
  const found = await abilities.fetchMany(jobs.map(idOf), signal)
  if (found.kind !== 'found') return { jobs: [], problem: found }
  return {
    jobs: jobs.flatMap((job) => {
      const row = found.rows.get(idOf(job))
      return row ? [seen(job, row, calling)] : []
    }),
  }
}

async function readOne(
  job: Job,
  calling: Calling,
): Promise<Job | { readonly problem: VendorProblem }> {
  const { abilities, side, signal } = calling
  const externalId = linkOf(job.stored.document, side.connectionId).externalId ?? ''
  const found = await abilities.fetchOne(externalId, signal)
  if (found.kind === 'row') return seen(job, found.row, calling)
  if (found.kind === 'gone') return foundGone(job, calling)
  if (found.kind !== 'hidden') return { problem: found }
  const error = { code: 'forbidden', message: 'the row cannot be read there', retryable: false }
  const operation = operationOf(pushOf(stateOf(job), side))
  return parkedJob(job, { operation, externalId, error }, calling)
}

function operationOf({ kind }: Push): 'create' | 'update' | 'delete' {
  return kind === 'nothing' ? 'update' : kind
}

interface Call {
  readonly job: Job
  readonly push: Exclude<Push, { kind: 'nothing' }>
  readonly write: VendorWrite
}

/** Writes what differs, as many rows in a call as the vendor takes. */
export async function writeAll(jobs: readonly Job[], calling: Calling): Promise<Called> {
  const done: Job[] = []
  const calls: Call[] = []
  for (const job of jobs) {
    const record = stateOf(job)
    const encoding = encodePush(record, calling.side)
    if (encoding.kind === 'nothing') done.push(job)
    if (encoding.kind === 'unencodable') {
      const { externalId } = linkOf(record, calling.side.connectionId)
      const error = { ...encoding.reason, retryable: false }
      const operation = operationOf(pushOf(record, calling.side))
      done.push(parkedJob(job, { operation, externalId, error }, calling))
    }
    if (encoding.kind === 'write') calls.push({ job, push: encoding.push, write: encoding.write })
  }
  const { batchSize } = calling.abilities
  for (let start = 0; start < calls.length; start += batchSize) {
    const called = await writeSome(calls.slice(start, start + batchSize), calling)
    done.push(...called.jobs)
    if (called.problem) return { jobs: done, problem: called.problem }
  }
  return { jobs: done }
}

/** One call; a call that is refused as a whole is halved until the row that is to blame stands alone. */
async function writeSome(calls: readonly Call[], calling: Calling): Promise<Called> {
  const outcomes = await calling.abilities.write(
    calls.map(({ write }) => write),
    calling.signal,
  )
  const problem = wholeProblem(outcomes)
  if (problem?.kind === 'retry' || (problem && isUnproved(problem))) return { jobs: [], problem }
  if (problem && calls.length > 1) {
    const half = Math.ceil(calls.length / 2)
    const first = await writeSome(calls.slice(0, half), calling)
    if (first.problem) return first
    const second = await writeSome(calls.slice(half), calling)
    return { ...second, jobs: [...first.jobs, ...second.jobs] }
  }
  const told = calls.map(({ job, push }, index) => {
    const outcome: WriteOutcome = outcomes[index] ?? { kind: 'unknown', reason: 'no answer' }
    return { job, push, outcome }
  })
  // A vendor writes by several requests: a token that ended between them is no fault of these records.
  const unproved = told.map(({ outcome }) => outcome).find(isUnproved)
  const jobs = told
    .filter(({ outcome }) => !isUnproved(outcome))
    .map(({ job, ...answer }) => answered(job, answer, calling))
  return unproved ? { jobs, problem: unproved } : { jobs }
}

function isUnproved(
  outcome: WriteOutcome,
): outcome is Extract<WriteOutcome, { readonly kind: 'refused' }> {
  return outcome.kind === 'refused' && outcome.code === 'reauth_required'
}

/** The problem of every row of a call, when it is one and the same. */
function wholeProblem(outcomes: readonly WriteOutcome[]): VendorProblem | undefined {
  const [first] = outcomes
  if (first?.kind !== 'retry' && first?.kind !== 'refused') return undefined
  const same = outcomes.every((one) => one.kind === first.kind && one.reason === first.reason)
  return same ? first : undefined
}
