import type { Issue, Repository } from './repository.ts'

export function isoOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function person(login: string): object {
  return { login, id: login.length, type: login.endsWith('[bot]') ? 'Bot' : 'User' }
}

/** An issue as the API shows it; a pull request differs by one member. */
export function shownIssue(issue: Issue, { name }: Repository, origin: string): object {
  const url = `${origin}/repos/${name}/issues/${issue.number}`
  return {
    id: 1_000_000 + issue.number,
    node_id: `I_${issue.number}`,
    url,
    repository_url: `${origin}/repos/${name}`,
    html_url: `${origin}/${name}/issues/${issue.number}`,
    number: issue.number,
    state: issue.state,
    state_reason: issue.state_reason,
    title: issue.title,
    body: issue.body,
    user: person(issue.user),
    labels: issue.labels.map((label) => ({ name: label, color: 'ededed' })),
    assignees: issue.assignees.map(person),
    locked: false,
    comments: 0,
    created_at: isoOf(issue.createdMs),
    updated_at: isoOf(issue.updatedMs),
    closed_at: issue.closedMs === null ? null : isoOf(issue.closedMs),
    ...(issue.isPullRequest
      ? { pull_request: { url: `${origin}/repos/${name}/pulls/${issue.number}` } }
      : {}),
  }
}

export function shownRepository({ name, hasIssues }: Repository, origin: string): object {
  const [owner = ''] = name.split('/')
  return {
    id: 1,
    name: name.slice(owner.length + 1),
    full_name: name,
    owner: person(owner),
    url: `${origin}/repos/${name}`,
    has_issues: hasIssues,
  }
}
