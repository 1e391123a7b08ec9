import { Control, type ControlCommand } from '../../control.ts'
import type { LocalResponse } from '../../http-server.ts'
import { failure, type Failure, HIBERNATION_PAGE } from './answers.ts'
import type { BatchQuota } from './batch-api.ts'
import { commandsOf } from './commands.ts'
import { describeColumn, describeTable, forgetColumn } from './metadata.ts'
import type { PropertyName } from './properties.ts'
import { ruleHeaders, throttled, type RateRule } from './rate-rules.ts'
import type { TableRights } from './rights.ts'
import { plain, type TableShape } from './schema.ts'
import { compileFor } from './table-api.ts'
import { createTwin, type TwinOptions, type TwinParts } from './twin.ts'
import { sysIdOf, toStamp, type Changes, type Row } from './values.ts'
import type { WebhookCounts, WebhookTarget } from './webhook-emitter.ts'

type Columns = TableShape['columns']
export type Throttle = 'rule' | 'semaphore' | 'quota'

const API = '/api/now'
const PLANNED_LIMIT = 1000
const PLANNED_WAIT_MS = 30_000
const REPLAY_CHUNK = 500
/** Who changes records on the instance when nobody is named. */
const PERSON = 'admin'

/** What people and administrators do on the instance, and what goes wrong with it on demand. */
export class ServiceNowControl extends Control {
  readonly parts: TwinParts
  #signedInUser: string
  #batchLimits: number[] = []

  constructor(options: TwinOptions) {
    super(() => undefined)
    this.parts = createTwin(this.clock, options)
    this.#signedInUser = this.parts.credentials.userName
  }

  override inspect(): unknown {
    const tables = [...this.parts.instance.tables.keys()].map((name) => [
      name,
      this.parts.instance.store(name).size,
    ])
    return {
      clock: toStamp(this.clock.now()),
      records: Object.fromEntries(tables),
      webhooks: this.webhooks(),
      replay: this.parts.replay?.progress() ?? null,
      waitingCalls: this.parts.sessions.waiting(),
    }
  }

  override commands(): Readonly<Record<string, ControlCommand>> {
    return commandsOf(this)
  }

  // People

  create(table: string, fields: Changes, as = PERSON): Row {
    return this.parts.instance.insert(table, fields, as)
  }

  /** Moves `sys_updated_on` to the clock and counts `sys_mod_count` up, if anything changed. */
  update(table: string, sysId: string, changes: Changes & { readonly by?: string }): Row {
    const row = this.parts.instance.update(table, sysId, { by: PERSON, ...changes })
    if (!row) throw new RangeError(`${table} has no record ${sysId}`)
    return row
  }

  remove(table: string, sysId: string, as = PERSON): void {
    if (!this.parts.instance.remove(table, sysId, as))
      throw new RangeError(`${table} has no record ${sysId}`)
  }

  /** As a script with `autoSysFields(false)` does: no new stamp, no business rule (facts A5). */
  changeSilently(table: string, sysId: string, changes: Changes): void {
    const row = this.parts.instance.find(table, sysId)
    if (!row) throw new RangeError(`${table} has no record ${sysId}`)
    this.parts.instance.writeSilently(table, { ...row, ...changes })
  }

  /** A record of a long transaction: it appears now with the stamp of `secondsAgo` (facts A5). */
  commitLate(table: string, fields: Changes, secondsAgo: number): Row {
    const stamp = toStamp(this.clock.now() - secondsAgo * 1000)
    const stamps = { sys_created_on: stamp, sys_updated_on: stamp }
    return this.parts.instance.insert(table, { ...stamps, ...fields }, PERSON)
  }

  /** The rows as the database holds them, in the order of their creation. */
  rows(table: string): Row[] {
    return this.parts.instance.stores(table).flatMap((store) => [...store.all()])
  }

  row(table: string, sysId: string): Row | undefined {
    return this.parts.instance.find(table, sysId)
  }

  // Administrators

  setRights(table: string, rights: TableRights): void {
    this.parts.rights.change(table, rights)
  }

  /** Hides the rows that match from the API; pages get short (facts A2, sysparm_limit). */
  hideRows(table: string, encodedQuery: string): void {
    const { instance, properties, credentials } = this.parts
    const caller = { sysId: '', userName: credentials.userName, timeZone: 'GMT' }
    const { query, matches } = compileFor({ instance, properties, table, caller }, encodedQuery)
    if (query.ignored.length > 0) throw new RangeError(`not understood: ${query.ignored.join('^')}`)
    this.parts.rights.hide(table, matches)
  }

  showRows(table: string): void {
    this.parts.rights.showAll(table)
  }

  /** `X-Total-Count` is told wrong by so much. */
  lieAboutTotals(by: number): void {
    this.parts.lie.total = by
  }

  setProperty(name: PropertyName, value: string): void {
    this.parts.properties.set(name, value)
  }

  setPassword(userName: string, password: string): void {
    this.parts.accounts.setPassword(userName, password)
  }

  /** A table of the customer's own: text columns, its deletions audited. */
  addTable(table: string, columns: readonly string[]): void {
    const shape = Object.fromEntries(columns.map((name) => [name, { kind: 'text' as const }]))
    this.parts.instance.tables.set(table, plain(shape, columns[0] ?? 'sys_id'))
    describeTable(this.parts.instance, table)
  }

  addColumn(table: string, column: string): void {
    this.#changeColumns(table, (columns) => ({ ...columns, [column]: { kind: 'text' } }))
    describeColumn(this.parts.instance, { table, element: column, column: { kind: 'text' } })
  }

  dropColumn(table: string, column: string): void {
    this.#changeColumns(table, ({ [column]: _dropped, ...columns }) => columns)
    forgetColumn(this.parts.instance, table, column)
  }

  /** Who is at the browser when `/oauth_auth.do` opens. */
  signIn(userName: string): void {
    if (!this.parts.accounts.find(userName)) throw new RangeError(`no active user ${userName}`)
    this.#signedInUser = userName
  }

  signedInUser(): string {
    return this.#signedInUser
  }

  /** A refresh token that the client would have got from this user's sign-in. */
  issueRefreshToken(userName = this.parts.credentials.userName): string {
    const { clientId } = this.parts.credentials
    return this.parts.tokens.issueRefresh({ userName, clientId })
  }

  expireAccessTokens(): void {
    this.parts.tokens.expireAccess()
  }

  revokeTokens(): void {
    this.parts.tokens.revokeAll()
  }

  // Limits and failures

  limitRate(rule: RateRule): void {
    this.parts.rates.add(rule)
  }

  clearRateLimits(): void {
    this.parts.rates.clear()
  }

  /** The next calls are answered 429: `rule` with Retry-After and headers, `semaphore` and `quota` without. */
  throttle(kind: Throttle, times = 1, operation = API): void {
    const { status, headers, body } = this.#refusal(kind)
    this.fail({ operation, times, status, headers, body })
  }

  /** The next calls get the HTML page of a hibernating instance, with 200. */
  hibernate(times = 1, operation = ''): void {
    const headers = { 'content-type': 'text/html;charset=UTF-8' }
    this.fail({ operation, times, status: 200, headers, body: HIBERNATION_PAGE })
  }

  /** The next batches use up their quota after so many items (facts A3). */
  limitBatch(items: number, times = 1): void {
    this.#batchLimits.push(...Array.from({ length: times }, () => items))
  }

  readonly batchQuota: BatchQuota = { take: (items) => this.#batchLimits.shift() ?? items }

  /** For the items of a batch: they are counted and struck like calls of their own. */
  enterItem(operation: string): LocalResponse | undefined {
    const fault = this.enter(operation)
    if (fault?.status === undefined) return undefined
    return { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' }
  }

  // Webhooks

  setWebhook(target: WebhookTarget | undefined): void {
    this.parts.emitter.retarget(target)
  }

  webhooks(): WebhookCounts {
    return this.parts.emitter.counts()
  }

  /** Waits until every webhook that is on its way was answered. */
  settled(): Promise<void> {
    return this.parts.emitter.settled()
  }

  // The incident log

  /** Lets the next events of the log happen, and their webhooks arrive; tells how many there were. */
  async replay(events: number): Promise<number> {
    let applied = 0
    while (applied < events) {
      const step = this.#replay().step(Math.min(REPLAY_CHUNK, events - applied))
      await this.settled()
      applied += step
      if (step === 0) break
    }
    return applied
  }

  startReplay(eventsPerSecond: number): void {
    this.#replay().run(this.clock, eventsPerSecond, () => this.webhooks().pending)
  }

  pauseReplay(): void {
    this.#replay().pause()
  }

  #replay() {
    if (!this.parts.replay) throw new RangeError('no incident log was loaded for a replay')
    return this.parts.replay
  }

  #refusal(kind: Throttle): Failure {
    const nowMs = this.clock.now()
    const resetMs = nowMs + PLANNED_WAIT_MS
    switch (kind) {
      case 'rule': {
        const refusal = throttled({ limit: PLANNED_LIMIT, resetMs, nowMs })
        const id = sysIdOf('sys_rate_limit_rules', 'planned')
        const headers = ruleHeaders({ limit: PLANNED_LIMIT, resetMs, id })
        return { ...refusal, headers: { ...refusal.headers, ...headers } }
      }
      case 'semaphore':
        return failure(429, 'Too many requests', 'Semaphore limit reached')
      case 'quota':
        return failure(429, 'Transaction cancelled', 'Maximum execution time exceeded')
    }
  }

  #changeColumns(table: string, change: (columns: Columns) => Columns): void {
    const shape = this.parts.instance.tables.get(table)
    if (!shape) throw new RangeError(`there is no table ${table}`)
    this.parts.instance.tables.set(table, { ...shape, columns: change(shape.columns) })
  }
}
