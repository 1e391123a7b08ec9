import { z } from 'zod'
import { fail, failures, succeed, type Outcome } from './failure.ts'
import { LIMITS } from './limits.ts'
import type { SecretVersion } from './secret.ts'

const attributesShape = z.object({
  enabled: z.boolean().nullish(),
  exp: z.int().nullish(),
  nbf: z.int().nullish(),
})
const tagText = z.string().max(LIMITS.tagLength)
const updateShape = z.object({
  contentType: z.string().max(LIMITS.contentTypeLength).nullish(),
  tags: z
    .record(tagText, tagText)
    .refine((tags) => Object.keys(tags).length <= LIMITS.tags, `at most ${LIMITS.tags} tags`)
    .nullish(),
  attributes: attributesShape.nullish(),
})
const setShape = updateShape.extend({
  value: z
    .string()
    .refine(
      (value) => Buffer.byteLength(value) <= LIMITS.valueBytes,
      `at most ${LIMITS.valueBytes} bytes`,
    ),
})
const backupShape = z.object({ value: z.string() })

export const readUpdate = reader(updateShape)
export const readSet = reader(setShape)
export const readBackup = reader(backupShape)

/** Letters, digits and hyphens (azure-docs issue 99541: a leading digit or hyphen is taken). */
const NAME = /^[0-9a-zA-Z-]+$/

export function readName(name: string): Outcome<string> {
  return NAME.test(name) && name.length <= LIMITS.nameLength
    ? succeed(name)
    : fail(failures.invalidName(name))
}

const LATEST = '2026-04-01'
const SUPPORTED =
  /^(2015-06-01|2016-10-01|7\.[0-6](-preview(\.\d+)?)?|(2025-\d\d|2026-0[1-4])-\d\d(-preview(\.\d+)?)?)$/

export function checkApiVersion(version: string | null): Outcome<string> {
  if (version === null) return fail(failures.badParameter('api-version must be specified'))
  if (SUPPORTED.test(version)) return succeed(version)
  return fail(
    failures.badParameter(
      `The specified version (${version}) is not recognized. Consider using the latest supported version (${LATEST}).`,
    ),
  )
}

const BACKUP_MARK = 'syncline-secret-backup-1.'
const backedUpShape = z.object({
  name: z.string().regex(NAME),
  versions: z
    .array(
      z.object({
        version: z.string(),
        value: z.string(),
        contentType: z.string().exactOptional(),
        tags: z.record(z.string(), z.string()).exactOptional(),
        enabled: z.boolean(),
        exp: z.int().exactOptional(),
        nbf: z.int().exactOptional(),
        created: z.int(),
        updated: z.int(),
      }),
    )
    .min(1),
})

/** The service's backups are encrypted; ours are only marked, so that another blob is refused. */
export function encodeBackup(secret: {
  readonly name: string
  readonly versions: readonly SecretVersion[]
}): string {
  const { name, versions } = secret
  return Buffer.from(BACKUP_MARK + JSON.stringify({ name, versions })).toString('base64url')
}

export function decodeBackup(
  blob: string,
): Outcome<{ readonly name: string; readonly versions: readonly SecretVersion[] }> {
  const text = Buffer.from(blob, 'base64url').toString()
  const parsed = backedUpShape.safeParse(
    text.startsWith(BACKUP_MARK) ? parseJson(text.slice(BACKUP_MARK.length)) : undefined,
  )
  return parsed.success ? succeed(parsed.data) : fail(failures.malformedBackup())
}

/** Names the property and what was expected of it, never what came: that may be the secret. */
function reader<T>(shape: z.ZodType<T>): (body: Buffer) => Outcome<T> {
  return (body) => {
    const parsed = shape.safeParse(parseJson(body.toString()))
    if (parsed.success) return succeed(parsed.data)
    const problems = parsed.error.issues.map((issue) =>
      issue.path.length === 0
        ? 'the body must be a JSON object'
        : `Property ${issue.path.join('.')} has invalid value: ${issue.message}`,
    )
    return fail(failures.badParameter(problems.join('; ')))
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
