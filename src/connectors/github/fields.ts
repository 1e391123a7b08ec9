import type { VendorClient } from '../client.ts'
import type { Discovered, ExternalField } from '../connector.ts'
import { isObject } from '../json.ts'
import { problemOf } from '../outcome.ts'
import { HEADERS } from './list.ts'
import { outcomes } from './outcomes.ts'

function field(
  name: string,
  type: ExternalField['type'],
  more: Partial<ExternalField> = {},
): ExternalField {
  return { name, label: name, type, vendorType: type, readOnly: true, required: false, ...more }
}

const written = { readOnly: false }
const choice = (value: string) => ({ value, label: value })

/** What an issue has (REST API, issues); the same in every repository. */
const fields: readonly ExternalField[] = [
  field('number', 'integer'),
  field('title', 'text', { ...written, required: true, length: 256 }),
  field('body', 'text', { ...written, length: 65_536 }),
  field('state', 'text', { ...written, choices: ['open', 'closed'].map(choice) }),
  field('state_reason', 'text', {
    ...written,
    choices: ['completed', 'not_planned', 'reopened', 'duplicate'].map(choice),
  }),
  field('user.login', 'text'),
  field('assignee.login', 'text'),
  field('milestone.title', 'text'),
  field('locked', 'boolean'),
  field('comments', 'integer'),
  field('created_at', 'instant'),
  field('updated_at', 'instant'),
  field('closed_at', 'instant'),
  field('html_url', 'text'),
]

/** The fields of issues, when the repository is there and has its issues switched on. */
export async function discover(
  client: VendorClient,
  repository: string,
  signal: AbortSignal,
): Promise<Discovered> {
  const call = { method: 'GET', path: `/repos/${repository}`, headers: HEADERS } as const
  const answer = await client.call(call, signal)
  const problem = problemOf(answer, outcomes, client.now())
  if (problem) return problem
  const body = answer.kind === 'answer' ? answer.body : undefined
  if (isObject(body) && body['has_issues'] === false) {
    const reason = 'the issues of the repository are switched off'
    return { kind: 'refused', code: 'vendor_failed', reason }
  }
  return { kind: 'fields', object: repository, from: 'description', fields }
}
