import { z } from 'zod'
import { controlCommand, type ControlCommand } from '../../control.ts'
import type { ServiceNowControl } from './control.ts'
import { PROPERTY_NAMES } from './properties.ts'
import { rateRuleShape } from './rate-rules.ts'
import { rightsShape } from './rights.ts'

const table = z.string()
const sysId = z.string()
const fields = z.record(z.string(), z.string())
const times = z.int().positive().default(1)
const nothing = z.unknown()
const recordShape = z.strictObject({ table, sysId })
const columnShape = z.strictObject({ table, column: z.string() })
const userShape = z.strictObject({ userName: z.string() })
const targetShape = z.strictObject({
  url: z.url(),
  secret: z.string(),
  functionKey: z.string().optional(),
  tables: z.array(z.string()).optional(),
})

/** The control's methods for other processes: `POST /servicenow/commands/{command}` with a JSON object. */
export function commandsOf(control: ServiceNowControl): Readonly<Record<string, ControlCommand>> {
  return {
    create: controlCommand(z.strictObject({ table, fields, as: z.string().optional() }), (input) =>
      control.create(input.table, input.fields, input.as),
    ),
    update: controlCommand(z.strictObject({ table, sysId, changes: fields }), (input) =>
      control.update(input.table, input.sysId, input.changes),
    ),
    remove: controlCommand(recordShape, (input) => control.remove(input.table, input.sysId)),
    'change-silently': controlCommand(z.strictObject({ table, sysId, changes: fields }), (input) =>
      control.changeSilently(input.table, input.sysId, input.changes),
    ),
    'commit-late': controlCommand(
      z.strictObject({ table, fields, secondsAgo: z.number().nonnegative() }),
      (input) => control.commitLate(input.table, input.fields, input.secondsAgo),
    ),
    rows: controlCommand(z.strictObject({ table }), (input) => control.rows(input.table)),
    row: controlCommand(recordShape, (input) => control.row(input.table, input.sysId)),
    'set-rights': controlCommand(z.strictObject({ table, rights: rightsShape }), (input) =>
      control.setRights(input.table, input.rights),
    ),
    'hide-rows': controlCommand(z.strictObject({ table, query: z.string() }), (input) =>
      control.hideRows(input.table, input.query),
    ),
    'show-rows': controlCommand(z.strictObject({ table }), (input) =>
      control.showRows(input.table),
    ),
    'lie-about-totals': controlCommand(z.strictObject({ by: z.int() }), (input) =>
      control.lieAboutTotals(input.by),
    ),
    'set-property': controlCommand(
      z.strictObject({ name: z.enum(PROPERTY_NAMES), value: z.string() }),
      (input) => control.setProperty(input.name, input.value),
    ),
    'add-table': controlCommand(
      z.strictObject({ table, columns: z.array(z.string().min(1)).min(1) }),
      (input) => control.addTable(input.table, input.columns),
    ),
    'add-column': controlCommand(columnShape, (input) =>
      control.addColumn(input.table, input.column),
    ),
    'drop-column': controlCommand(columnShape, (input) =>
      control.dropColumn(input.table, input.column),
    ),
    'sign-in': controlCommand(userShape, (input) => control.signIn(input.userName)),
    'issue-refresh-token': controlCommand(userShape.partial(), (input) =>
      control.issueRefreshToken(input.userName),
    ),
    'expire-access-tokens': controlCommand(nothing, () => control.expireAccessTokens()),
    'revoke-tokens': controlCommand(nothing, () => control.revokeTokens()),
    'limit-rate': controlCommand(rateRuleShape, (rule) => control.limitRate(rule)),
    'clear-rate-limits': controlCommand(nothing, () => control.clearRateLimits()),
    throttle: controlCommand(
      z.strictObject({ kind: z.enum(['rule', 'semaphore', 'quota']), times }),
      (input) => control.throttle(input.kind, input.times),
    ),
    hibernate: controlCommand(z.strictObject({ times }), (input) => control.hibernate(input.times)),
    'limit-batch': controlCommand(
      z.strictObject({ items: z.int().nonnegative(), times }),
      (input) => control.limitBatch(input.items, input.times),
    ),
    'set-webhook': controlCommand(targetShape.nullable(), (target) =>
      control.setWebhook(target ?? undefined),
    ),
    webhooks: controlCommand(nothing, () => control.webhooks()),
    settled: controlCommand(nothing, () => control.settled()),
    replay: controlCommand(z.strictObject({ events: z.int().positive() }), (input) =>
      control.replay(input.events),
    ),
    'start-replay': controlCommand(
      z.strictObject({ eventsPerSecond: z.number().positive() }),
      (i) => control.startReplay(i.eventsPerSecond),
    ),
    'pause-replay': controlCommand(nothing, () => control.pauseReplay()),
  }
}
