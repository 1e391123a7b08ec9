import type { VirtualClock } from '../../clock.ts'
import { WebhookPoster } from '../webhook-poster.ts'
import { webhookOf, type WebhookTarget } from './apex-trigger.ts'
import type { Client } from './oauth.ts'
import { Org, PERSON } from './org.ts'
import { Queries } from './query-api.ts'
import { Sessions } from './sessions.ts'
import { Usage } from './usage.ts'
import { makeId } from './values.ts'

export interface TwinOptions {
  readonly client?: Partial<Client>
  /** Cases to make up. Default 0. */
  readonly count?: number
  readonly webhook?: WebhookTarget
}

/** The parts of one organisation. */
export interface TwinParts extends AsyncDisposable {
  readonly org: Org
  readonly sessions: Sessions
  readonly queries: Queries
  readonly usage: Usage
  readonly poster: WebhookPoster
  readonly client: Client
  /** Id of the integration user. */
  readonly user: string
  webhook: WebhookTarget | undefined
}

const SUBJECTS = [
  'Printer offline',
  'VPN drops every hour',
  'Cannot sign in',
  'Laptop too slow',
  'Mail is not delivered',
]
const PRIORITIES = ['High', 'Medium', 'Low']

export function createTwin(clock: VirtualClock, options: TwinOptions): TwinParts {
  const now = () => clock.now()
  const org = new Org(now)
  const poster = new WebhookPoster()
  for (let at = 0; at < (options.count ?? 0); at += 1) {
    const Subject = `${SUBJECTS[at % SUBJECTS.length] ?? ''} (${at + 1})`
    org.create(
      'Case',
      { Subject, Priority: PRIORITIES[at % PRIORITIES.length] ?? null, Origin: 'Web' },
      PERSON,
    )
  }
  const parts: TwinParts = {
    org,
    sessions: new Sessions(now),
    queries: new Queries(org),
    usage: new Usage(now),
    poster,
    client: {
      clientId: 'local-salesforce-client',
      clientSecret: 'local-salesforce-secret',
      ...options.client,
    },
    user: makeId('005', 2),
    webhook: options.webhook,
    [Symbol.asyncDispose]: () => poster[Symbol.asyncDispose](),
  }
  org.onChange((change) => {
    const delivery = parts.webhook && webhookOf(change, parts.webhook, new Date(now()))
    if (delivery) poster.post(delivery)
  })
  return parts
}
