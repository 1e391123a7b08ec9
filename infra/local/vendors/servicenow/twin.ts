import type { VirtualClock } from '../../clock.ts'
import { Accounts, DEFAULT_CREDENTIALS, type Credentials } from './accounts.ts'
import { populate } from './generator.ts'
import { DEFAULT_IMPORT_SETS, type ImportSet } from './import-set-api.ts'
import type { IncidentLog } from './incident-log.ts'
import { Instance } from './instance.ts'
import { describeTables } from './metadata.ts'
import { createProperties, type Properties } from './properties.ts'
import { RateRules } from './rate-rules.ts'
import { loadFinalState, Replay } from './replay.ts'
import { Rights } from './rights.ts'
import { Sessions } from './sessions.ts'
import { TokenStore } from './tokens.ts'
import { WebhookEmitter, type WebhookTarget } from './webhook-emitter.ts'

export interface TwinOptions {
  /** Client, user, password and key; what is left out has a local default. */
  readonly credentials?: Partial<Credentials>
  /** Incidents to make up when there is no log. Default 0. */
  readonly count?: number
  /** Decides what is made up. Default 1. */
  readonly seed?: number
  /** Real incidents instead. */
  readonly incidents?: {
    readonly log: IncidentLog
    /** `final`: all of them as they ended; `replay`: none, until the control lets the log happen. */
    readonly mode: 'final' | 'replay'
  }
  readonly webhook?: WebhookTarget
  readonly importSets?: Readonly<Record<string, ImportSet>>
  /** Milliseconds for which a call that sends a session cookie holds its session. Default 20. */
  readonly sessionCallMs?: number
}

/** The parts of one instance. */
export interface TwinParts extends AsyncDisposable {
  readonly instance: Instance
  readonly credentials: Credentials
  readonly accounts: Accounts
  readonly tokens: TokenStore
  readonly rights: Rights
  readonly lie: { total: number }
  readonly properties: Properties
  readonly rates: RateRules
  readonly sessions: Sessions
  readonly emitter: WebhookEmitter
  readonly importSets: Readonly<Record<string, ImportSet>>
  readonly replay: Replay | undefined
}

const DEFAULT_SESSION_CALL_MS = 20
const USERS_PER_INCIDENT = 0.1
const FEWEST_USERS = 12

export function createTwin(clock: VirtualClock, options: TwinOptions): TwinParts {
  const now = () => clock.now()
  const instance = new Instance(now)
  const credentials = { ...DEFAULT_CREDENTIALS, ...options.credentials }
  const accounts = new Accounts(instance, credentials)
  const { incidents, count = 0, seed = 1 } = options
  describeTables(instance)
  if (incidents?.mode === 'final') loadFinalState(incidents.log, instance)
  if (!incidents && count > 0)
    populate(instance, {
      seed,
      incidents: count,
      users: Math.max(FEWEST_USERS, Math.ceil(count * USERS_PER_INCIDENT)),
      untilMs: now(),
    })
  const emitter = new WebhookEmitter(instance, clock, options.webhook)
  const replay = incidents?.mode === 'replay' ? new Replay(incidents.log, instance) : undefined
  return {
    instance,
    credentials,
    accounts,
    tokens: new TokenStore(now),
    rights: new Rights(),
    lie: { total: 0 },
    properties: createProperties(),
    rates: new RateRules(),
    sessions: new Sessions(clock, options.sessionCallMs ?? DEFAULT_SESSION_CALL_MS),
    emitter,
    importSets: options.importSets ?? DEFAULT_IMPORT_SETS,
    replay,
    [Symbol.asyncDispose]: async () => {
      replay?.[Symbol.dispose]()
      await emitter[Symbol.asyncDispose]()
    },
  }
}
