import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sign } from '@octokit/webhooks-methods'
import { describe, expect, test } from 'vitest'
import { readerFor } from '../../src/webhooks/events/index.ts'
import { incoming, SECRET, world } from './receiver-world.ts'

const data = path.join(import.meta.dirname, '../../../shared/data')

interface GitHubExample {
  readonly name: string
  readonly examples: readonly Record<string, unknown>[]
}

const examples = path.join(data, 'github-webhooks/webhooks-examples-7.6.1.json.gz')

/** The published examples where they are at hand (npm, @octokit/webhooks-examples 7.6.1), and a few made after them. */
function githubEvents(): readonly GitHubExample[] {
  const own: GitHubExample[] = [
    { name: 'issues', examples: [{ action: 'opened', issue: { id: 5, updated_at: 'T' } }] },
    { name: 'release', examples: [{ action: 'deleted', release: { id: 6 } }] },
    { name: 'ping', examples: [{ zen: 'Keep it simple.' }] },
  ]
  if (!existsSync(examples)) return own
  return [...own, ...(JSON.parse(gunzipSync(readFileSync(examples)).toString()) as GitHubExample[])] // as published
}

/** Where the record of an event stands, told apart from the reader: by what the body is called after. */
const members: Readonly<Record<string, string>> = {
  branch_protection_rule: 'rule',
  code_scanning_alert: 'alert',
  commit_comment: 'comment',
  dependabot_alert: 'alert',
  deploy_key: 'key',
  deployment_review: 'workflow_run',
  discussion_comment: 'comment',
  fork: 'forkee',
  installation_repositories: 'installation',
  issue_comment: 'comment',
  issues: 'issue',
  public: 'repository',
  pull_request_review: 'review',
  pull_request_review_comment: 'comment',
  pull_request_review_thread: 'thread',
  push: 'repository',
  repository_vulnerability_alert: 'alert',
  team_add: 'team',
}
const aboutNothing =
  /^(create|delete|github_app_authorization|gollum|marketplace_purchase|membership|merge_group|meta|org_block|organization|ping|repository_dispatch|repository_import|star|watch|workflow_dispatch)$/

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

const named = githubEvents().map((event) => [event.name, event] as const)

test.for(named.filter(([name]) => aboutNothing.test(name)))('%s is only noted', ([name, event]) => {
  const meanings = event.examples.flatMap((body) =>
    readerFor('github').toEvents({ 'x-github-event': name }, body),
  )
  expect(meanings.map(({ kind }) => kind)).toEqual(event.examples.map(() => 'notice'))
})

describe('each published event', () => {
  test.for(named.filter(([name]) => !aboutNothing.test(name)))('%s', ([name, event]) => {
    for (const body of event.examples) {
      const [meaning, ...more] = readerFor('github').toEvents({ 'x-github-event': name }, body)
      const action = body['action'] as string | undefined // as published
      expect(more).toEqual([])
      expect(meaning).toMatchObject({ eventType: action ? `${name}.${action}` : name })
      const isBody = ['status', 'page_build'].includes(name)
      const record = isBody ? body : member(body, members[name] ?? name)
      const isNumbered = /code_scanning|dependabot/.test(name)
      const own = member(record, 'id') ?? member(record, 'node_id')
      const id = isNumbered
        ? `${String(member(member(body, 'repository'), 'id'))}#${String(member(record, 'number'))}`
        : String(name === 'security_advisory' ? member(record, 'ghsa_id') : own)
      const ended = action === 'deleted'
      const begun =
        /^(created?|opened|submitted)$/.test(action ?? '') ||
        (action === 'added' && name === 'member') ||
        /^(fork|status|page_build)$/.test(name)
      // A text, though GitHub writes some stamps as epoch numbers.
      const stamp = member(record, 'updated_at') as string | number | undefined // as published
      expect(meaning).toMatchObject({
        kind: 'event',
        externalId: id,
        operation: ended ? 'delete' : begun ? 'create' : 'update',
        ...(stamp === undefined ? {} : { sourceVersion: String(stamp) }),
      })
    }
  })
})

test('every published example, signed by the stock signer, passes the receiver, and each record becomes one message', async () => {
  const entities = new Set<string>()
  const examples = githubEvents().flatMap(({ name, examples: bodies }) =>
    bodies.map((body) => ({ name, body })),
  )
  const meanings = examples.flatMap(({ name, body }) =>
    readerFor('github').toEvents({ 'x-github-event': name }, body),
  )
  for (const meaning of meanings) if (meaning.kind === 'event') entities.add(meaning.entityType)
  const targets = [...entities].map((entityType) => ({
    taskId: `task-${entityType}`,
    entityType,
    integrationId: 'github',
    syncMode: 'pull',
    priority: 'normal',
  }))
  const here = await world({ scheme: 'github', integrationId: 'github' }, targets)
  for (const [index, { name, body }] of examples.entries()) {
    const text = JSON.stringify(body)
    const receipt = await here.receive(
      incoming(Buffer.from(text), {
        headers: {
          'content-type': 'application/json',
          'x-github-event': name,
          'x-github-delivery': `guid-${index}`,
          'x-hub-signature-256': await sign(SECRET, text),
        },
      }),
    )
    expect(receipt).toMatchObject({ kind: 'accepted', synced: meanings[index]?.kind === 'event' })
  }
  const records = here.records('queued')
  expect(records).toHaveLength(meanings.filter(({ kind }) => kind === 'event').length)
  // Some examples are the same bytes twice: one change, one message.
  expect(here.inbound.waiting.length + here.inbound.duplicates()).toBe(records.length)
})
