import { setTimeout as delay } from 'node:timers/promises'
import { countStored, demo } from './demo.ts'
import { seedConnection, seedTask } from './seed.ts'
import type { Stack } from './stack.ts'

/** One system in which a demo's incident is a row. */
interface System {
  readonly name: string
  readonly rows: string
  readonly count: () => number
  /** Whether a row says that. */
  readonly shows: (text: string) => boolean
}

const EVERY_TEN_SECONDS = '*/10 * * * * *'
const POLL_MS = 500

/** Connects what runs besides ServiceNow to the same tenant: every incident is a case and an issue, and the reverse. */
export async function connectSystems(stack: Stack, schedule = EVERY_TEN_SECONDS): Promise<void> {
  const { salesforce, github, settings } = stack
  if (salesforce) {
    await connect(stack, 'salesforce', {
      schedule,
      config: { instanceUrl: settings['SALESFORCE_URL'] },
      secret: { kind: 'refresh_token', refreshToken: salesforce.control.issueRefreshToken() },
    })
  }
  if (github) {
    await connect(stack, 'github', {
      schedule,
      config: {
        instanceUrl: settings['GITHUB_URL'],
        streams: { [demo.entityType]: { object: 'octo/hello' } },
      },
      secret: { kind: 'refresh_token', refreshToken: github.control.issueRefreshToken() },
    })
  }
  if (salesforce ?? github)
    await seedTask(stack, { ...taskOf('servicenow', demo.taskId), schedule })
}

interface Connecting {
  readonly config: object
  readonly secret: { readonly kind: 'refresh_token'; readonly refreshToken: string }
  readonly schedule: string
}

async function connect(
  stack: Stack,
  vendor: 'salesforce' | 'github',
  { config, secret, schedule }: Connecting,
): Promise<void> {
  await seedConnection(stack, {
    tenantId: demo.tenantId,
    integrationId: vendor,
    connectionId: `conn-${vendor}`,
    credentialId: `cred-${vendor}`,
    label: `${vendor} (local)`,
    config,
    secret,
  })
  await seedTask(stack, { ...taskOf(vendor, `task-${vendor}`), schedule })
}

function taskOf(vendor: string, id: string) {
  return {
    id,
    tenantId: demo.tenantId,
    integrationId: vendor,
    connectionId: `conn-${vendor}`,
    entityType: demo.entityType,
    syncMode: 'bidirectional',
  }
}

export interface SystemsView {
  readonly say: (line: string) => void
  /** Aborted when the stack is to stop. */
  readonly signal: AbortSignal
}

/** Shows the systems getting equal, then one edit in each arriving in all the others. */
export async function showSystems(stack: Stack, view: SystemsView): Promise<void> {
  const systems = systemsOf(stack)
  if (systems.length < 2) return
  const { say } = view
  let before = ''
  const areEqual = await until(view, async () => {
    const { records } = await countStored(stack)
    const line = systems.map(({ name, rows, count }) => `${name} ${count()} ${rows}`).join(', ')
    if (line !== before) say(`systems      ${records} records: ${line}`)
    before = line
    return systems.every(({ count }) => count() === records)
  })
  if (areEqual) await editEverywhere(stack, systems, view)
}

function systemsOf({ serviceNow, salesforce, github }: Stack): readonly System[] {
  const incidents = () => serviceNow.control.rows(demo.entityType)
  const issues = () => github?.control.issues().filter((one) => !one.isPullRequest) ?? []
  const cases = () => salesforce?.control.rows('Case') ?? []
  return [
    {
      name: 'ServiceNow',
      rows: 'incidents',
      count: () => incidents().length,
      shows: (text) => incidents().some((row) => row['short_description'] === text),
    },
    ...(salesforce
      ? [
          {
            name: 'Salesforce',
            rows: 'cases',
            count: () => cases().length,
            shows: (text: string) => cases().some((row) => row['Subject'] === text),
          },
        ]
      : []),
    ...(github
      ? [
          {
            name: 'GitHub',
            rows: 'issues',
            count: () => issues().length,
            shows: (text: string) => issues().some(({ title }) => title === text),
          },
        ]
      : []),
  ]
}

/** People change a row in one system after the other. */
async function editEverywhere(
  { serviceNow, salesforce, github }: Stack,
  systems: readonly System[],
  view: SystemsView,
): Promise<void> {
  const edits: Readonly<Record<string, (text: string) => void>> = {
    ServiceNow: (text) => {
      const sysId = serviceNow.control.rows(demo.entityType)[0]?.['sys_id'] ?? ''
      serviceNow.control.update(demo.entityType, sysId, { short_description: text })
    },
    Salesforce: (text) => {
      const id = String(salesforce?.control.rows('Case')[1]?.['Id'])
      salesforce?.control.update('Case', id, { Subject: text })
    },
    GitHub: (title) => {
      const issue = github?.control.issues().filter((one) => !one.isPullRequest)[2]
      if (issue) github?.control.edit(issue.number, { title })
    },
  }
  for (const { name } of systems) {
    const text = `Edited in ${name}`
    const startedAt = performance.now()
    edits[name]?.(text)
    const others = systems.filter((one) => one.name !== name)
    const arrived = await until(view, async () => others.every(({ shows }) => shows(text)))
    if (!arrived) return
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    view.say(
      `systems      "${text}" is in ${others.map((one) => one.name).join(' and ')} after ${seconds} s`,
    )
  }
}

/** False when it was cut short. */
async function until({ signal }: SystemsView, condition: () => Promise<boolean>): Promise<boolean> {
  while (!(await condition())) {
    const isCut = await delay(POLL_MS, false, { signal }).catch(() => true)
    if (isCut) return false
  }
  return true
}
