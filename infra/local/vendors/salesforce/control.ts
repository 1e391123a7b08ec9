import { Control, type ControlCommand } from '../../control.ts'
import type { HttpServer } from '../../http-server.ts'
import type { DeliveryCounts } from '../webhook-poster.ts'
import { failure, MAINTENANCE_PAGE } from './answers.ts'
import { commandsOf } from './commands.ts'
import type { WebhookTarget } from './apex-trigger.ts'
import { PERSON, type WriteError, type Written } from './org.ts'
import type { Field } from './schema.ts'
import { createTwin, type TwinOptions, type TwinParts } from './twin.ts'
import { toStamp, type Changes, type Row } from './values.ts'

const DATA = '/services/data'
export type Throttle = 'quota' | 'concurrency' | 'edge'

/** What people and administrators do in the organisation, and what goes wrong with it on demand. */
export class SalesforceControl extends Control {
  readonly parts: TwinParts
  readonly #planned: WriteError[] = []
  #move: (() => Promise<string>) | undefined

  constructor(options: TwinOptions) {
    super(() => undefined)
    this.parts = createTwin(this.clock, options)
  }

  override inspect(): unknown {
    const { org, poster } = this.parts
    const records = [...org.objects.keys()].map((name) => [name, this.rows(name).length])
    return {
      clock: toStamp(this.clock.now()),
      records: Object.fromEntries(records),
      webhooks: poster.counts(),
    }
  }

  override commands(): Readonly<Record<string, ControlCommand>> {
    return commandsOf(this)
  }

  // People

  create(object: string, fields: Changes): Row {
    return rowOf(this.parts.org.create(object, fields, PERSON))
  }

  update(object: string, id: string, changes: Changes): Row {
    return rowOf(this.parts.org.update({ object, id }, changes, PERSON))
  }

  /** Into the recycle bin. */
  remove(object: string, id: string): void {
    rowOf(this.parts.org.remove(object, id, PERSON))
  }

  restore(object: string, id: string): Row {
    return rowOf(this.parts.org.restore(object, id, PERSON))
  }

  /** Out of the recycle bin for good. */
  purge(object: string, id: string): void {
    this.parts.org.purge(object, id)
  }

  /** As a formula or a roll-up does: no new stamp, no trigger (facts B2). */
  changeSilently(object: string, id: string, changes: Changes): void {
    const row = this.parts.org.find(object, id)
    if (!row) throw new RangeError(`${object} has no record ${id}`)
    this.parts.org.writeSilently(object, { ...row, ...changes })
  }

  /** A record of a long transaction: it appears now with the stamp of `secondsAgo`. */
  commitLate(object: string, fields: Changes, secondsAgo: number): Row {
    const row = this.create(object, fields)
    const stamp = toStamp(this.clock.now() - secondsAgo * 1000)
    const late = { ...row, CreatedDate: stamp, LastModifiedDate: stamp, SystemModstamp: stamp }
    this.parts.org.writeSilently(object, late)
    return late
  }

  /** The living records, in the order of their creation. */
  rows(object: string): Row[] {
    return this.parts.org.rows(object).filter((row) => row['IsDeleted'] !== true)
  }

  row(object: string, id: string): Row | undefined {
    return this.parts.org.find(object, id)
  }

  // Administrators

  addField(object: string, name: string, field: Field): void {
    const shape = this.parts.org.objects.get(object)
    if (!shape) throw new RangeError(`there is no object ${object}`)
    this.parts.org.objects.set(object, { ...shape, fields: { ...shape.fields, [name]: field } })
  }

  dropField(object: string, name: string): void {
    const shape = this.parts.org.objects.get(object)
    if (!shape) throw new RangeError(`there is no object ${object}`)
    const { [name]: _dropped, ...fields } = shape.fields
    this.parts.org.objects.set(object, { ...shape, fields })
  }

  /** A refresh token that the client would have got from the integration user's consent. */
  issueRefreshToken(): string {
    return this.parts.sessions.grant(this.parts.user)
  }

  rotateRefreshTokens(rotates: boolean): void {
    this.parts.sessions.rotates = rotates
  }

  expireSessions(): void {
    this.parts.sessions.expireAll()
  }

  revokeTokens(): void {
    this.parts.sessions.revokeAll()
  }

  /** For the one who serves the organisation. */
  onMove(move: () => Promise<HttpServer>): void {
    this.#move = async () => (await move()).origin
  }

  /** The organisation moves: the next refresh names the new instance, and only it takes the new sessions. */
  async moveInstance(): Promise<string> {
    if (!this.#move) throw new RangeError('this organisation has nowhere to go')
    const origin = await this.#move()
    this.expireSessions()
    return origin
  }

  setDailyLimit(calls: number): void {
    this.parts.usage.limit = calls
  }

  // Failures

  /** The next calls are refused: `quota` 403 REQUEST_LIMIT_EXCEEDED, `concurrency` the same words, `edge` 420. */
  throttle(kind: Throttle, times = 1, operation = DATA): void {
    const refusals = {
      quota: failure(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.'),
      concurrency: failure(
        403,
        'REQUEST_LIMIT_EXCEEDED',
        'ConcurrentPerOrgLongTxn Limit exceeded.',
      ),
      edge: failure(420, 'SERVER_UNAVAILABLE', 'Too many requests'),
    }
    this.fail({ operation, times, ...refusals[kind] })
  }

  /** The next calls get a page for people, with 200 or another status. */
  maintain(times = 1, status = 200, operation = DATA): void {
    const headers = { 'content-type': 'text/html;charset=UTF-8' }
    this.fail({ operation, times, status, headers, body: MAINTENANCE_PAGE })
  }

  /** The next records that are written are refused with this code, one after the other. */
  rejectWrites(code: string, times = 1): void {
    const error = {
      code,
      message:
        code === 'UNABLE_TO_LOCK_ROW' ? 'unable to obtain exclusive access to this record' : code,
    }
    this.#planned.push(...Array.from({ length: times }, () => error))
  }

  plannedError(): WriteError | undefined {
    return this.#planned.shift()
  }

  expireLocators(): void {
    this.parts.queries.expireLocators()
  }

  /** Pages of queries hold so many rows, whatever the client asks for. */
  setBatchSize(rows: number | undefined): void {
    this.parts.queries.batchSize = rows
  }

  /** `totalSize` is told wrong by so much. */
  lieAboutTotals(by: number): void {
    this.parts.queries.lie = by
  }

  // Webhooks

  setWebhook(target: WebhookTarget | undefined): void {
    this.parts.webhook = target
  }

  webhooks(): DeliveryCounts {
    return this.parts.poster.counts()
  }

  settled(): Promise<void> {
    return this.parts.poster.settled()
  }
}

function rowOf(written: Written): Row {
  if ('error' in written) throw new RangeError(`${written.error.code}: ${written.error.message}`)
  return written.row
}
