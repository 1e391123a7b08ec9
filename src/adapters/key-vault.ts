import type { TokenCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { AppError } from '../core/errors.ts'
import type { SecretVersion, Vault } from '../core/vault.ts'

const MISSING = 404
const DISABLED = 403
const DELETED = 409

/** The SDK itself waits without end for a vault that takes a call and never answers. */
const TIMEOUT_MS = 15_000

/**
 * Secrets of one Key Vault. The SDK waits as long as a throttled vault asks for (`Retry-After`), within its few tries;
 * what is beyond them, or takes longer than `timeoutMs` in all, is `vault_unavailable`.
 */
export function openKeyVault(
  url: string,
  credential: TokenCredential,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): Vault {
  const client = new SecretClient(url, credential, {
    // The check compares the vault's domain with the one that it asks a token for; a loopback address has none.
    disableChallengeResourceVerification: isLoopback(url),
    retryOptions: { maxRetries: 2, retryDelayInMs: 300, maxRetryDelayInMs: 2_000 },
  })
  const within = <R>(work: (abortSignal: AbortSignal) => Promise<R>): Promise<R> =>
    guard(() => work(AbortSignal.timeout(timeoutMs)))
  const latest = (name: string) => within((signal) => read(client, { name, signal }))
  return {
    get: async (name, version) =>
      (await within((signal) => read(client, { name, version, signal })))?.value,
    latest,
    set: (name, value, expiresAt) =>
      within((signal) => write(client, { name, value, expiresAt, signal })),
    remove: (name) =>
      within(async (abortSignal) => {
        const deletion = await unless([MISSING, DELETED], () =>
          client.beginDeleteSecret(name, { ...POLLING, abortSignal }),
        )
        await deletion?.pollUntilDone({ abortSignal })
      }),
    ping: async () => {
      await latest('health-probe')
    },
  }
}

/** Between two looks whether the vault has settled a deletion or a recovery. */
const POLLING = { intervalInMs: 250 }

interface Reading {
  readonly name: string
  readonly version?: string | undefined
  readonly signal: AbortSignal
}

async function read(
  client: SecretClient,
  { name, version, signal }: Reading,
): Promise<SecretVersion | undefined> {
  const options = { ...(version === undefined ? {} : { version }), abortSignal: signal }
  const found = await unless([MISSING], () => client.getSecret(name, options)).catch(
    (error: unknown) => {
      if (isDisabled(error)) return undefined
      throw error
    },
  )
  const { value, properties } = found ?? {}
  if (value === undefined || properties?.version === undefined) return undefined
  return { value, version: properties.version }
}

interface Writing {
  readonly name: string
  readonly value: string
  readonly expiresAt: Date | undefined
  readonly signal: AbortSignal
}

async function write(
  client: SecretClient,
  { name, value, expiresAt, signal: abortSignal }: Writing,
): Promise<string> {
  const options = { ...(expiresAt ? { expiresOn: expiresAt } : {}), abortSignal }
  const set = () => client.setSecret(name, value, options)
  // A name is taken while its deleted secret can be recovered: it has to come back first.
  const written =
    (await unless([DELETED], set)) ??
    (await (async () => {
      const recovery = await client.beginRecoverDeletedSecret(name, { ...POLLING, abortSignal })
      await recovery.pollUntilDone({ abortSignal })
      return set()
    })())
  const { version } = written.properties
  if (version === undefined) throw new Error('the vault named no version')
  return version
}

/** Undefined where the vault answers one of the statuses. */
async function unless<R>(
  statuses: readonly number[],
  work: () => Promise<R>,
): Promise<R | undefined> {
  try {
    return await work()
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return undefined
    throw error
  }
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  return typeof error.statusCode === 'number' ? error.statusCode : undefined
}

/** A version that was switched off may not be read; any other 403 means that we may not. */
function isDisabled(error: unknown): boolean {
  return (
    statusOf(error) === DISABLED &&
    error instanceof Error &&
    /SecretDisabled|disabled/i.test(error.message)
  )
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
}

async function guard<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError(
      'vault_unavailable',
      'the key vault could not be reached or refused the work',
      { cause },
    )
  }
}
