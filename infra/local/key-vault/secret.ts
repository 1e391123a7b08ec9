import { fail, failures, succeed, type Outcome } from './failure.ts'

/** What a caller may set: `exp` and `nbf` are seconds since the epoch and only information, as in the service. */
export interface SecretInput {
  readonly contentType?: string | null | undefined
  readonly tags?: Readonly<Record<string, string>> | null | undefined
  readonly attributes?:
    | {
        readonly enabled?: boolean | null | undefined
        readonly exp?: number | null | undefined
        readonly nbf?: number | null | undefined
      }
    | null
    | undefined
}

/** One version. Instants are seconds since the epoch. */
export interface SecretVersion {
  /** 32 hexadecimal digits. */
  readonly version: string
  readonly value: string
  readonly contentType?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly enabled: boolean
  readonly exp?: number
  readonly nbf?: number
  readonly created: number
  readonly updated: number
}

/** One named secret. Instants are milliseconds since the epoch. */
export interface Secret {
  readonly name: string
  /** In the order in which they were made, never empty. */
  readonly versions: readonly SecretVersion[]
  readonly deletion?: {
    readonly deletedAt: number
    /** From then on the deleted secret can be seen, recovered and purged. */
    readonly settledAt: number
    readonly purgeAt: number
  }
  /** From then on a recovered secret can be seen again. */
  readonly recoveredAt?: number
}

export type Phase = 'active' | 'recovering' | 'deleting' | 'deleted' | 'gone'

export interface Retention {
  /** Milliseconds that a deletion or a recovery takes. */
  readonly transitionMs: number
  readonly retentionDays: number
}

const DAY_MS = 24 * 60 * 60 * 1000

export function phaseOf(secret: Secret | undefined, now: number): Phase {
  if (!secret) return 'gone'
  if (secret.recoveredAt !== undefined && now < secret.recoveredAt) return 'recovering'
  if (!secret.deletion) return 'active'
  if (now < secret.deletion.settledAt) return 'deleting'
  return now < secret.deletion.purgeAt ? 'deleted' : 'gone'
}

/** Names are compared without regard to case and kept as first written. */
export function keyOf(name: string): string {
  return name.toUpperCase()
}

export function latestOf(secret: Secret): SecretVersion {
  const latest = secret.versions.at(-1)
  if (!latest) throw new Error(`the secret ${secret.name} has no version`)
  return latest
}

/** The secret if it may be used under its name: neither deleted nor on the way. */
export function active(
  secret: Secret | undefined,
  { name, now }: { readonly name: string; readonly now: number },
): Outcome<Secret> {
  return secret && phaseOf(secret, now) === 'active'
    ? succeed(secret)
    : fail(failures.notFound(name))
}

const inTheWay = {
  deleting: failures.beingDeleted,
  deleted: failures.recoverable,
  recovering: failures.beingRecovered,
} as const

/** The active secret that a write would change, if any; refused while a deleted one holds the name. */
export function writable(
  secret: Secret | undefined,
  { name, now }: { readonly name: string; readonly now: number },
): Outcome<Secret | undefined> {
  const phase = phaseOf(secret, now)
  if (phase === 'active') return succeed(secret)
  return phase === 'gone' ? succeed(undefined) : fail(inTheWay[phase](name))
}

/** A deleted secret whose deletion is done. */
export function deleted(
  secret: Secret | undefined,
  { name, now }: { readonly name: string; readonly now: number },
): Outcome<Secret & Required<Pick<Secret, 'deletion'>>> {
  return secret?.deletion && phaseOf(secret, now) === 'deleted'
    ? succeed({ ...secret, deletion: secret.deletion })
    : fail(failures.deletedNotFound(name))
}

export function addVersion(
  secret: Secret | undefined,
  added: {
    readonly name: string
    readonly version: string
    readonly value: string
    readonly input: SecretInput
    readonly now: number
  },
): Secret {
  const at = Math.floor(added.now / 1000)
  const blank = { version: added.version, value: added.value, enabled: true, created: at }
  const version = change({ ...blank, updated: at }, added.input, at)
  return {
    name: secret?.name ?? added.name,
    versions: [...(secret?.versions ?? []), version],
  }
}

/** Changes what is named in `input` and leaves the rest; the value never changes. */
export function updateVersion(
  secret: Secret,
  update: { readonly version: string; readonly input: SecretInput; readonly now: number },
): Outcome<{ readonly secret: Secret; readonly updated: SecretVersion }> {
  const found = findVersion(secret, update.version)
  if (!found.ok) return found
  const updated = change(found.value, update.input, Math.floor(update.now / 1000))
  const versions = secret.versions.map((each) => (each === found.value ? updated : each))
  return succeed({ secret: { ...secret, versions }, updated })
}

/** The version of this id; the latest for an empty one. */
export function findVersion(secret: Secret, version: string): Outcome<SecretVersion> {
  const found =
    version === ''
      ? latestOf(secret)
      : secret.versions.find((each) => each.version === version.toLowerCase())
  return found ? succeed(found) : fail(failures.notFound(`${secret.name}/${version}`))
}

/** A version's value may be read unless it is disabled; `exp` and `nbf` do not hide it (Microsoft Learn, "About Key Vault secrets", date-time controlled operations). */
export function readable(version: SecretVersion): Outcome<SecretVersion> {
  return version.enabled ? succeed(version) : fail(failures.disabled())
}

export function remove(
  { name, versions }: Secret,
  now: number,
  { transitionMs, retentionDays }: Retention,
): Secret & Required<Pick<Secret, 'deletion'>> {
  const deletion = {
    deletedAt: now,
    settledAt: now + transitionMs,
    purgeAt: now + retentionDays * DAY_MS,
  }
  return { name, versions, deletion }
}

export function recover({ name, versions }: Secret, now: number, retention: Retention): Secret {
  return { name, versions, recoveredAt: now + retention.transitionMs }
}

function change(version: SecretVersion, input: SecretInput, at: number): SecretVersion {
  const { enabled, exp, nbf } = input.attributes ?? {}
  return {
    ...version,
    ...given('contentType', input.contentType),
    ...given('tags', input.tags),
    ...given('enabled', enabled),
    ...given('exp', exp),
    ...given('nbf', nbf),
    updated: at,
  }
}

function given<K extends string, V>(key: K, value: V | null | undefined): { [P in K]?: V } {
  if (value === null || value === undefined) return {}
  return { [key]: value } as { [P in K]?: V } // a computed key widens to string
}
