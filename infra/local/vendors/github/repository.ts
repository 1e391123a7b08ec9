export interface Issue {
  readonly number: number
  readonly title: string
  readonly body: string | null
  readonly state: 'open' | 'closed'
  readonly state_reason: string | null
  readonly labels: readonly string[]
  readonly assignees: readonly string[]
  readonly user: string
  readonly isPullRequest: boolean
  readonly createdMs: number
  readonly updatedMs: number
  readonly closedMs: number | null
}

export interface Changes {
  readonly title?: string | undefined
  readonly body?: string | null | undefined
  readonly state?: Issue['state'] | undefined
  readonly state_reason?: string | null | undefined
  readonly labels?: readonly string[] | undefined
  readonly assignees?: readonly string[] | undefined
}

export interface IssueChange {
  readonly action: 'opened' | 'edited' | 'closed' | 'reopened' | 'deleted'
  readonly issue: Issue
  readonly by: string
}

/** Issues and pull requests of one repository: they share their numbers. No HTTP. */
export class Repository {
  readonly name: string
  /** Switched off, every issue is answered 410. */
  hasIssues = true
  /** Not ours to see: everything is answered 404. */
  isHidden = false
  readonly #now: () => number
  readonly #issues = new Map<number, Issue>()
  readonly #deleted = new Set<number>()
  readonly #listeners: ((change: IssueChange) => void)[] = []
  #last = 0

  constructor(name: string, now: () => number) {
    this.name = name
    this.#now = now
  }

  onChange(listener: (change: IssueChange) => void): void {
    this.#listeners.push(listener)
  }

  /** In the order of their numbers. */
  issues(): Issue[] {
    return [...this.#issues.values()]
  }

  find(number: number): Issue | undefined {
    return this.#issues.get(number)
  }

  wasDeleted(number: number): boolean {
    return this.#deleted.has(number)
  }

  open(
    given: Changes & { readonly title: string; readonly isPullRequest?: boolean },
    by: string,
  ): Issue {
    this.#last += 1
    const now = this.#second()
    const issue: Issue = {
      number: this.#last,
      title: given.title,
      body: given.body ?? null,
      state: 'open',
      state_reason: null,
      labels: given.labels ?? [],
      assignees: given.assignees ?? [],
      user: by,
      isPullRequest: given.isPullRequest === true,
      createdMs: now,
      updatedMs: now,
      closedMs: null,
    }
    this.#issues.set(issue.number, issue)
    this.#tell({ action: 'opened', issue, by })
    return issue
  }

  /** What changes nothing moves no stamp. */
  edit(number: number, changes: Changes, by: string): Issue | undefined {
    const former = this.#issues.get(number)
    if (!former) return undefined
    const given = Object.fromEntries(
      Object.entries(changes).filter(([, value]) => value !== undefined),
    )
    const next: Issue = { ...former, ...given }
    if (JSON.stringify(next) === JSON.stringify(former)) return former
    const now = this.#second()
    const isClosed = next.state === 'closed'
    const reason = isClosed
      ? (next.state_reason ?? 'completed')
      : former.state === 'closed'
        ? 'reopened'
        : null
    const issue: Issue = {
      ...next,
      state_reason: reason,
      closedMs: isClosed ? (former.closedMs ?? now) : null,
      updatedMs: now,
    }
    this.#issues.set(number, issue)
    const action = issue.state === former.state ? 'edited' : isClosed ? 'closed' : 'reopened'
    this.#tell({ action, issue, by })
    return issue
  }

  /** As an administrator can on the site; the REST API cannot. */
  delete(number: number, by: string): boolean {
    const issue = this.#issues.get(number)
    if (!issue) return false
    this.#issues.delete(number)
    this.#deleted.add(number)
    this.#tell({ action: 'deleted', issue, by })
    return true
  }

  writeSilently(issue: Issue): void {
    this.#issues.set(issue.number, issue)
  }

  /** Stamps have whole seconds. */
  #second(): number {
    return Math.floor(this.#now() / 1000) * 1000
  }

  #tell(change: IssueChange): void {
    for (const listener of this.#listeners) listener(change)
  }
}
