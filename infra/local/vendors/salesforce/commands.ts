import { z } from 'zod'
import { controlCommand, type ControlCommand } from '../../control.ts'
import type { SalesforceControl } from './control.ts'

const object = z.string()
const id = z.string()
const fields = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
const times = z.int().positive().default(1)
const nothing = z.unknown()
const recordShape = z.strictObject({ object, id })
const changeShape = z.strictObject({ object, id, changes: fields })
const targetShape = z.strictObject({
  url: z.url(),
  secret: z.string(),
  objects: z.array(z.string()).optional(),
})

/** The control's methods for other processes: `POST /salesforce/commands/{command}` with a JSON object. */
export function commandsOf(control: SalesforceControl): Readonly<Record<string, ControlCommand>> {
  return {
    create: controlCommand(z.strictObject({ object, fields }), (input) =>
      control.create(input.object, input.fields),
    ),
    update: controlCommand(changeShape, (input) =>
      control.update(input.object, input.id, input.changes),
    ),
    remove: controlCommand(recordShape, (input) => control.remove(input.object, input.id)),
    restore: controlCommand(recordShape, (input) => control.restore(input.object, input.id)),
    purge: controlCommand(recordShape, (input) => control.purge(input.object, input.id)),
    'change-silently': controlCommand(changeShape, (input) =>
      control.changeSilently(input.object, input.id, input.changes),
    ),
    'commit-late': controlCommand(
      z.strictObject({ object, fields, secondsAgo: z.number().nonnegative() }),
      (input) => control.commitLate(input.object, input.fields, input.secondsAgo),
    ),
    rows: controlCommand(z.strictObject({ object }), (input) => control.rows(input.object)),
    row: controlCommand(recordShape, (input) => control.row(input.object, input.id)),
    'add-field': controlCommand(
      z.strictObject({
        object,
        name: z.string(),
        kind: z.enum(['text', 'number', 'boolean', 'instant', 'reference']).default('text'),
        externalId: z.boolean().default(false),
        unique: z.boolean().default(false),
      }),
      ({ object, name, ...field }) => control.addField(object, name, field),
    ),
    'drop-field': controlCommand(z.strictObject({ object, name: z.string() }), (input) =>
      control.dropField(input.object, input.name),
    ),
    'issue-refresh-token': controlCommand(nothing, () => control.issueRefreshToken()),
    'rotate-refresh-tokens': controlCommand(z.strictObject({ rotates: z.boolean() }), (input) =>
      control.rotateRefreshTokens(input.rotates),
    ),
    'expire-sessions': controlCommand(nothing, () => control.expireSessions()),
    'revoke-tokens': controlCommand(nothing, () => control.revokeTokens()),
    'move-instance': controlCommand(nothing, () => control.moveInstance()),
    'set-daily-limit': controlCommand(z.strictObject({ calls: z.int().nonnegative() }), (input) =>
      control.setDailyLimit(input.calls),
    ),
    throttle: controlCommand(
      z.strictObject({ kind: z.enum(['quota', 'concurrency', 'edge']), times }),
      (input) => control.throttle(input.kind, input.times),
    ),
    maintain: controlCommand(
      z.strictObject({ times, status: z.int().min(200).max(599).default(200) }),
      (input) => control.maintain(input.times, input.status),
    ),
    'reject-writes': controlCommand(z.strictObject({ code: z.string(), times }), (input) =>
      control.rejectWrites(input.code, input.times),
    ),
    'expire-locators': controlCommand(nothing, () => control.expireLocators()),
    'set-batch-size': controlCommand(z.strictObject({ rows: z.int().positive().nullable() }), (i) =>
      control.setBatchSize(i.rows ?? undefined),
    ),
    'lie-about-totals': controlCommand(z.strictObject({ by: z.int() }), (input) =>
      control.lieAboutTotals(input.by),
    ),
    'set-webhook': controlCommand(targetShape.nullable(), (target) =>
      control.setWebhook(target ?? undefined),
    ),
    webhooks: controlCommand(nothing, () => control.webhooks()),
    settled: controlCommand(nothing, () => control.settled()),
  }
}
