import { z } from 'zod'
import { controlCommand, type ControlCommand } from '../../control.ts'
import type { GitHubControl } from './control.ts'

const repository = z.string().optional()
const number = z.int().positive()
const times = z.int().positive().default(1)
const nothing = z.unknown()
const changes = z.strictObject({
  title: z.string().optional(),
  body: z.string().nullable().optional(),
  state: z.enum(['open', 'closed']).optional(),
  state_reason: z.string().nullable().optional(),
  labels: z.array(z.string()).optional(),
  assignees: z.array(z.string()).optional(),
})
const issue = changes.extend({ title: z.string() })
const targetShape = z.strictObject({ url: z.url(), secret: z.string() })

/** The control's methods for other processes: `POST /github/commands/{command}` with a JSON object. */
export function commandsOf(control: GitHubControl): Readonly<Record<string, ControlCommand>> {
  return {
    open: controlCommand(
      z.strictObject({ repository, issue, isPullRequest: z.boolean().default(false) }),
      (input) =>
        control.open({ ...input.issue, isPullRequest: input.isPullRequest }, input.repository),
    ),
    edit: controlCommand(z.strictObject({ repository, number, changes }), (input) =>
      control.edit(input.number, input.changes, input.repository),
    ),
    remove: controlCommand(z.strictObject({ repository, number }), (input) =>
      control.remove(input.number, input.repository),
    ),
    'commit-late': controlCommand(
      z.strictObject({ repository, issue, secondsAgo: z.number().nonnegative() }),
      (input) => control.commitLate(input.issue, input.secondsAgo, input.repository),
    ),
    issues: controlCommand(z.strictObject({ repository }), (input) =>
      control.issues(input.repository),
    ),
    hide: controlCommand(z.strictObject({ repository, hidden: z.boolean() }), (input) =>
      control.hide(input.hidden, input.repository),
    ),
    'switch-issues': controlCommand(z.strictObject({ repository, on: z.boolean() }), (input) =>
      control.switchIssues(input.on, input.repository),
    ),
    'issue-refresh-token': controlCommand(nothing, () => control.issueRefreshToken()),
    'issue-access-token': controlCommand(nothing, () => control.issueAccessToken()),
    'expire-access-tokens': controlCommand(nothing, () => control.expireAccessTokens()),
    'revoke-tokens': controlCommand(nothing, () => control.revokeTokens()),
    'set-hourly-limit': controlCommand(z.strictObject({ calls: z.int().nonnegative() }), (input) =>
      control.setHourlyLimit(input.calls),
    ),
    throttle: controlCommand(
      z.strictObject({
        kind: z.enum(['primary', 'secondary', 'secondary-without-headers']),
        times,
      }),
      (input) => control.throttle(input.kind, input.times),
    ),
    'show-unicorn': controlCommand(
      z.strictObject({ times, status: z.int().min(200).max(599).default(502) }),
      (input) => control.showUnicorn(input.times, input.status),
    ),
    'set-webhook': controlCommand(targetShape.nullable(), (target) =>
      control.setWebhook(target ?? undefined),
    ),
    webhooks: controlCommand(nothing, () => control.webhooks()),
    redeliver: controlCommand(z.strictObject({ id: z.string() }), (input) =>
      control.redeliver(input.id),
    ),
    settled: controlCommand(nothing, () => control.settled()),
  }
}
