import type { JsonObject } from '../../core/canonical-json.ts'
import type { RawAnswer, VendorCall, VendorClient } from '../client.ts'
import type { PushAbilities, VendorWrite, WriteOutcome } from '../connector.ts'
import { isObject } from '../json.ts'
import { failureOf, interpret } from '../outcome.ts'
import { changedIssue, closing, deletedIssue, newIssue, rowOf } from './issue.ts'
import { HEADERS, issuesPath } from './list.ts'
import { fetchOne, findByMarker, isGone } from './lookup.ts'
import { outcomes } from './outcomes.ts'

/** One call each, one after another: the vendor limits who writes in parallel. */
const BATCH_SIZE = 20

export function issuePush(repository: string): PushAbilities {
  return {
    batchSize: BATCH_SIZE,
    comparesAndSets: true,
    marker: 'correlation',
    write: (client, writes, signal) => write(client, { repository, writes }, signal),
    fetchOne: (client, externalId, signal) => fetchOne(client, { repository, externalId }, signal),
    findByMarker: (client, markers, signal) =>
      findByMarker(client, { repository, markers }, signal),
  }
}

interface Writing {
  readonly repository: string
  readonly writes: readonly VendorWrite[]
}

async function write(
  client: VendorClient,
  { repository, writes }: Writing,
  signal: AbortSignal,
): Promise<readonly WriteOutcome[]> {
  const known: WriteOutcome[] = []
  for (const one of writes) {
    const former = known.at(-1)
    // Who is told to wait and goes on is told to wait longer.
    const waits = former?.kind === 'retry' || former?.kind === 'refused'
    known.push(waits ? former : await writeOne(client, { repository, one }, signal))
  }
  return known
}

interface One {
  readonly repository: string
  readonly one: VendorWrite
}

function writeOne(client: VendorClient, { repository, one }: One, signal: AbortSignal) {
  return one.operation === 'create'
    ? create(client, { repository, one }, signal)
    : change(client, { repository, one }, signal)
}

async function create(
  client: VendorClient,
  { repository, one }: One,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const path = issuesPath(repository)
  const made = await send(client, { method: 'POST', path, body: { json: newIssue(one) } }, signal)
  if (made.kind === 'gone') {
    const reason = 'the repository takes no issues'
    return { kind: 'refused', code: 'vendor_failed', reason }
  }
  if (made.kind !== 'issue') return made
  const rest = closing(one)
  if (rest === undefined) return doneWith(made.issue)
  const id = rowOf(made.issue)?.externalId ?? ''
  const call = { method: 'PATCH', path: `${path}/${id}`, body: { json: rest } } as const
  const closed = await send(client, call, signal)
  // It is there, though still open: the values tell, and the difference will be pushed.
  return doneWith(closed.kind === 'issue' ? closed.issue : made.issue)
}

/** Issues have no conditional writes: the present one is read just before, also for what its text must keep. */
async function change(
  client: VendorClient,
  { repository, one }: One,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const { externalId = '', expected, operation } = one
  if (!/^\d+$/.test(externalId))
    return { kind: 'rejected', code: 'no_number', reason: 'that is no number of an issue' }
  const path = `${issuesPath(repository)}/${externalId}`
  const former = await client.call({ method: 'GET', path, headers: HEADERS }, signal)
  const meaning =
    former.kind === 'answer' ? interpret(former, outcomes, client.now()).meaning : undefined
  if (meaning === 'gone' || meaning === 'hidden') {
    const gone = await isGone(client, repository, signal)
    return gone
      ? { kind: 'gone' }
      : { kind: 'rejected', code: 'hidden', reason: 'it is not ours to see' }
  }
  const failure = failureOf(former, outcomes, client.now())
  // It was only read: nothing was done.
  if (failure) return failure.kind === 'unknown' ? { ...failure, kind: 'retry' } : failure
  const issue = issueIn(former as RawAnswer) // everything else is a failure
  if (expected && rowOf(issue)?.version.time !== expected.time) return { kind: 'conflict' }
  const json = operation === 'delete' ? deletedIssue(issue) : changedIssue(one, issue)
  const sent = await send(client, { method: 'PATCH', path, body: { json } }, signal)
  return sent.kind === 'issue' ? doneWith(sent.issue) : sent
}

type Sent =
  | { readonly kind: 'issue'; readonly issue: JsonObject }
  | Exclude<WriteOutcome, { kind: 'done' }>

async function send(client: VendorClient, call: VendorCall, signal: AbortSignal): Promise<Sent> {
  const answer = await client.call({ ...call, headers: HEADERS }, signal)
  const failure = failureOf(answer, outcomes, client.now())
  if (failure) return failure
  const issue = issueIn(answer as RawAnswer) // everything else is a failure
  if (rowOf(issue)) return { kind: 'issue', issue }
  return { kind: 'unknown', reason: 'it answered without the issue' }
}

function issueIn({ body }: RawAnswer): JsonObject {
  return isObject(body) ? body : {}
}

function doneWith(issue: JsonObject): WriteOutcome {
  const row = rowOf(issue)
  if (!row) return { kind: 'unknown', reason: 'it answered without the issue' }
  const { externalId, version, values } = row
  return { kind: 'done', externalId, version, values }
}
