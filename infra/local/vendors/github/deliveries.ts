import { randomUUID } from 'node:crypto'
import { schemes } from '../../../../src/webhooks/schemes.ts'
import { sign } from '../../../../src/webhooks/sign.ts'
import type { Delivery } from '../webhook-poster.ts'
import { shownIssue, shownRepository } from './render.ts'
import type { IssueChange, Repository } from './repository.ts'

export interface WebhookTarget {
  readonly url: string
  readonly secret: string
}

const HOOK_ID = '460000001'

/** An event as GitHub posts it: both signatures of the raw body, a GUID that stays the same when it is sent again. */
export function deliveryOf(
  event: 'ping' | 'issues',
  payload: object,
  { target, now }: { readonly target: WebhookTarget; readonly now: Date },
): Delivery {
  const id = randomUUID()
  const body = JSON.stringify(payload)
  const { url, secret } = target
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/0000000',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-github-hook-id': HOOK_ID,
    'x-github-hook-installation-target-type': 'repository',
  }
  const unsigned = { method: 'POST', url, headers, rawBody: Buffer.from(body), now, secret }
  const legacy = sign(schemes['github-sha1'], unsigned)
  const signed = sign(schemes.github, { ...unsigned, headers: legacy.headers })
  return { id, url: signed.url, headers: signed.headers, body }
}

export function issuesPayload(change: IssueChange, repository: Repository): object {
  const origin = 'https://api.github.com'
  return {
    action: change.action,
    issue: shownIssue(change.issue, repository, origin),
    repository: shownRepository(repository, origin),
    sender: { login: change.by, type: change.by.endsWith('[bot]') ? 'Bot' : 'User' },
  }
}

export function pingPayload(): object {
  return {
    zen: 'Keep it logically awesome.',
    hook_id: Number(HOOK_ID),
    hook: { type: 'Repository', active: true, events: ['issues'] },
  }
}
