import {
  entryOf,
  at,
  eventOf,
  notice,
  textAt,
  unknownEvent,
  type Meaning,
  type Operation,
  type Reader,
} from './meaning.ts'

/** Where an event's record stands in the body, and under which of its members it is known. */
interface Rule {
  readonly entity: string
  readonly at: readonly string[]
  readonly id?: string
}

const rule = (entity: string, place: string = entity, id = 'id'): Rule => ({
  entity,
  at: [place],
  id,
})

/** The record of each event (GitHub, "Webhook events and payloads"). What is in neither table is new to us. */
const records: Readonly<Record<string, Rule>> = {
  branch_protection_rule: rule('branch_protection_rule', 'rule'),
  check_run: rule('check_run'),
  check_suite: rule('check_suite'),
  code_scanning_alert: rule('code_scanning_alert', 'alert', 'number'),
  commit_comment: rule('commit_comment', 'comment'),
  dependabot_alert: rule('dependabot_alert', 'alert', 'number'),
  deploy_key: rule('deploy_key', 'key'),
  deployment: rule('deployment'),
  deployment_review: rule('workflow_run'),
  deployment_status: rule('deployment_status'),
  discussion: rule('discussion'),
  discussion_comment: rule('discussion_comment', 'comment'),
  fork: rule('repository', 'forkee'),
  installation: rule('installation'),
  installation_repositories: rule('installation'),
  issue_comment: rule('issue_comment', 'comment'),
  issues: rule('issue'),
  label: rule('label'),
  member: rule('member'),
  milestone: rule('milestone'),
  package: rule('package'),
  page_build: { entity: 'page_build', at: [] },
  project: rule('project'),
  project_card: rule('project_card'),
  project_column: rule('project_column'),
  projects_v2_item: rule('projects_v2_item'),
  public: rule('repository'),
  pull_request: rule('pull_request'),
  pull_request_review: rule('pull_request_review', 'review'),
  pull_request_review_comment: rule('pull_request_review_comment', 'comment'),
  pull_request_review_thread: rule('pull_request_review_thread', 'thread', 'node_id'),
  push: rule('repository'),
  release: rule('release'),
  repository: rule('repository'),
  repository_vulnerability_alert: rule('repository_vulnerability_alert', 'alert'),
  secret_scanning_alert: rule('secret_scanning_alert', 'alert', 'number'),
  security_advisory: rule('security_advisory', 'security_advisory', 'ghsa_id'),
  sponsorship: rule('sponsorship', 'sponsorship', 'node_id'),
  status: { entity: 'status', at: [] },
  team: rule('team'),
  team_add: rule('team'),
  workflow_job: rule('workflow_job'),
  workflow_run: rule('workflow_run'),
}

/** Known, and about no record of its own. */
const notices: ReadonlySet<string> = new Set([
  'create',
  'delete',
  'github_app_authorization',
  'gollum',
  'marketplace_purchase',
  'membership',
  'merge_group',
  'meta',
  'org_block',
  'organization',
  'ping',
  'repository_dispatch',
  'repository_import',
  'star',
  'watch',
  'workflow_dispatch',
])

/** The action that makes a record, and the one that ends it; every other changes it. */
const operations: Readonly<Record<string, Operation>> = {
  created: 'create',
  create: 'create',
  opened: 'create',
  submitted: 'create',
  added: 'create',
  deleted: 'delete',
}

/** Actions of those names that do something else to the record of their event. */
const exceptions: Readonly<Record<string, Operation>> = {
  'installation_repositories.added': 'update',
  'team.added_to_repository': 'update',
}

/** Events without an action that tell of something new. */
const born: ReadonlySet<string> = new Set(['fork', 'page_build', 'status'])

/** Ids are GitHub's numbers; alerts have one only within their repository, so its id stands before theirs. */
export const github: Reader = {
  headers: ['x-github-event'],
  toEvents: (headers, body) => {
    const event = headers['x-github-event']
    if (event === undefined) return [unknownEvent(undefined)]
    const action = textAt(body, 'action')
    const eventType = action === undefined ? event : `${event}.${action}`
    if (notices.has(event)) return [notice(eventType)]
    const found = entryOf(records, event)
    return [found === undefined ? unknownEvent(eventType) : read(body, eventType, found)]
  },
}

function read(body: unknown, eventType: string, { entity, at: place, id = 'id' }: Rule): Meaning {
  const [event = '', action] = eventType.split('.')
  const record = at(body, ...place)
  const own = textAt(record, id)
  const repository = textAt(body, 'repository', 'id')
  const byAction = entryOf(operations, action)
  return eventOf({
    eventType,
    entityType: entity,
    externalId: id === 'number' && own !== undefined ? `${repository}#${own}` : own,
    operation:
      entryOf(exceptions, eventType) ?? byAction ?? (born.has(event) ? 'create' : 'update'),
    sourceVersion: textAt(record, 'updated_at'),
  })
}
