import { Control, type ControlCommand } from '../../control.ts'
import { WebhookPoster, type DeliveryCounts } from '../webhook-poster.ts'
import { failure, type ApiParts } from './api.ts'
import { commandsOf } from './commands.ts'
import { deliveryOf, issuesPayload, pingPayload, type WebhookTarget } from './deliveries.ts'
import { Limits } from './limits.ts'
import { Tokens, type Client } from './oauth.ts'
import { isoOf } from './render.ts'
import { Repository, type Changes, type Issue } from './repository.ts'

export interface TwinOptions {
  readonly client?: Partial<Client>
  /** Names like `octo/hello`. Default: that one. */
  readonly repositories?: readonly string[]
  /** Issues to make up in the first one. Default 0. */
  readonly count?: number
  readonly webhook?: WebhookTarget
}

const PERSON = 'octocat'
const API = '/repos'
export type Throttle = 'primary' | 'secondary' | 'secondary-without-headers'

/** What people do in the repositories, and what goes wrong on demand. */
export class GitHubControl extends Control {
  readonly parts: ApiParts
  readonly poster = new WebhookPoster()
  readonly #first: string
  #webhook: WebhookTarget | undefined

  constructor({ client, repositories = ['octo/hello'], count = 0, webhook }: TwinOptions) {
    super(() => undefined)
    const now = () => this.clock.now()
    const made = repositories.map((name) => [name, new Repository(name, now)] as const)
    this.#first = repositories[0] ?? ''
    this.parts = {
      repositories: new Map(made),
      tokens: new Tokens(now),
      limits: new Limits(now),
      client: { clientId: 'local-github-client', clientSecret: 'local-github-secret', ...client },
      login: 'syncline[bot]',
    }
    for (let at = 1; at <= count; at += 1)
      this.open({ title: `Made-up issue ${at}`, body: `Number ${at}` })
    for (const [, repository] of made) this.#watch(repository)
    this.setWebhook(webhook)
  }

  override inspect(): unknown {
    const repositories = [...this.parts.repositories.values()]
    return {
      clock: isoOf(this.clock.now()),
      issues: Object.fromEntries(repositories.map((one) => [one.name, one.issues().length])),
      limit: this.parts.limits.headers(),
      webhooks: this.webhooks(),
    }
  }

  override commands(): Readonly<Record<string, ControlCommand>> {
    return commandsOf(this)
  }

  /** The first one where no name is given. */
  repository(name = this.#first): Repository {
    const repository = this.parts.repositories.get(name)
    if (!repository) throw new RangeError(`there is no repository ${name}`)
    return repository
  }

  // People

  open(
    fields: Changes & { readonly title: string; readonly isPullRequest?: boolean },
    name?: string,
  ): Issue {
    return this.repository(name).open(fields, PERSON)
  }

  edit(number: number, changes: Changes, name?: string): Issue {
    const issue = this.repository(name).edit(number, changes, PERSON)
    if (!issue) throw new RangeError(`there is no issue ${number}`)
    return issue
  }

  /** As an administrator can on the site; the API cannot. */
  remove(number: number, name?: string): void {
    if (!this.repository(name).delete(number, PERSON))
      throw new RangeError(`there is no issue ${number}`)
  }

  /** An issue that appears now with the stamp of `secondsAgo`. */
  commitLate(
    fields: Changes & { readonly title: string },
    secondsAgo: number,
    name?: string,
  ): Issue {
    const issue = this.open(fields, name)
    const late = { ...issue, updatedMs: issue.updatedMs - secondsAgo * 1000 }
    this.repository(name).writeSilently(late)
    return late
  }

  issues(name?: string): Issue[] {
    return this.repository(name).issues()
  }

  // Administrators

  hide(isHidden: boolean, name?: string): void {
    this.repository(name).isHidden = isHidden
  }

  switchIssues(on: boolean, name?: string): void {
    this.repository(name).hasIssues = on
  }

  issueRefreshToken(): string {
    return this.parts.tokens.issueRefresh()
  }

  issueAccessToken(): string {
    return this.parts.tokens.issueAccess()
  }

  expireAccessTokens(): void {
    this.parts.tokens.expireAccess()
  }

  revokeTokens(): void {
    this.parts.tokens.revokeAll()
  }

  setHourlyLimit(calls: number): void {
    this.parts.limits.limit = calls
  }

  // Failures

  /** The next calls are refused as the primary limit does, or the secondary one with a wait or with words alone. */
  throttle(kind: Throttle, times = 1, operation = API): void {
    const reset = String(Math.ceil(this.clock.now() / 1000) + 120)
    const words =
      'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.'
    const refusals = {
      primary: {
        ...failure(403, 'API rate limit exceeded for user ID 1.'),
        limits: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
      },
      secondary: { ...failure(429, words), limits: { 'retry-after': '30' } },
      'secondary-without-headers': { ...failure(403, words), limits: {} },
    }
    const { limits, status, headers, body } = refusals[kind]
    this.fail({ operation, times, status, body, headers: { ...headers, ...limits } })
  }

  /** The next calls get a page for people. */
  showUnicorn(times = 1, status = 502, operation = API): void {
    const headers = { 'content-type': 'text/html; charset=utf-8' }
    this.fail({
      operation,
      times,
      status,
      headers,
      body: '<!DOCTYPE html><html><body>Unicorn!</body></html>',
    })
  }

  // Webhooks

  /** A hook says `ping` when it is made. */
  setWebhook(target: WebhookTarget | undefined): void {
    this.#webhook = target
    if (target)
      this.poster.post(
        deliveryOf('ping', pingPayload(), { target, now: new Date(this.clock.now()) }),
      )
  }

  webhooks(): DeliveryCounts & { readonly deliveries: readonly string[] } {
    return { ...this.poster.counts(), deliveries: this.poster.ids() }
  }

  /** The same delivery again, under the same GUID. */
  redeliver(id: string): void {
    this.poster.repeat(id)
  }

  settled(): Promise<void> {
    return this.poster.settled()
  }

  #watch(repository: Repository): void {
    repository.onChange((change) => {
      const target = this.#webhook
      if (!target || change.issue.isPullRequest) return
      const payload = issuesPayload(change, repository)
      this.poster.post(deliveryOf('issues', payload, { target, now: new Date(this.clock.now()) }))
    })
  }
}
