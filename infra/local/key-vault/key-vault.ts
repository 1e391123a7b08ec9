import { randomUUID } from 'node:crypto'
import { Control } from '../control.ts'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp, type LocalRequest, type LocalResponse } from '../http-server.ts'
import { LOCAL_TENANT_ID, type AccessTokenVerifier } from '../identity/identity.ts'
import type { TokenVerdict } from '../oauth/key-ring.ts'
import { alsoServeTls, createCertificate } from '../tls.ts'
import { DEFAULT_RETENTION_DAYS } from './bundle.ts'
import { failures, succeed, type Failure, type Outcome } from './failure.ts'
import { admit, LIMITS, type Window } from './limits.ts'
import { operations, type Answer, type Operation } from './operations.ts'
import { checkApiVersion, readName } from './request.ts'
import { fileTable, memoryTable, type SecretTable } from './secret-table.ts'
import { latestOf, phaseOf } from './secret.ts'

export interface KeyVaultOptions extends EmulatorOptions {
  /** Who checks bearer tokens: an identity emulator's `verify`, or nobody. */
  readonly verify: AccessTokenVerifier | 'any bearer'
  /** The tenant that the challenge names. Default that of the identity emulator. */
  readonly tenantId?: string
  /** Path of the file that keeps the secrets; without it they are gone when the vault is disposed. */
  readonly file?: string
  /** Enforces the service's limits of requests in 10 seconds. Default not. */
  readonly throttle?: boolean
  /** Days until a deleted secret is purged, 7 to 90. Default 90. */
  readonly retentionDays?: number
  /** Milliseconds of the emulator's clock that a deletion or recovery takes. Default 500. */
  readonly transitionMs?: number
}

const DEFAULT_TRANSITION_MS = 500
const AUDIENCE = 'https://vault.azure.net'

/** What a request is, before anything is checked. */
interface Target {
  readonly operation: Operation
  readonly name: string
  readonly version: string
}

/**
 * Key Vault's secrets (REST API 2026-04-01 and before), on https and http at the same port. The names of its
 * operations for counts and faults are those of the REST reference (`setSecret`, `getSecret`), and `challenge` for a
 * request without a token.
 */
export async function startKeyVault(options: KeyVaultOptions): Promise<Emulator> {
  const retention = {
    transitionMs: options.transitionMs ?? DEFAULT_TRANSITION_MS,
    retentionDays: options.retentionDays ?? DEFAULT_RETENTION_DAYS,
  }
  if (retention.retentionDays < MIN_RETENTION_DAYS || retention.retentionDays > MAX_RETENTION_DAYS)
    throw new RangeError(
      `a vault keeps deleted secrets for ${MIN_RETENTION_DAYS} to ${MAX_RETENTION_DAYS} days, not ${retention.retentionDays}`,
    )
  await using stack = new AsyncDisposableStack()
  const secrets = stack.use(
    options.file === undefined ? memoryTable() : await fileTable(options.file),
  )
  const control = new Control(() => describe(secrets, control.clock.now()))
  stack.use(control)
  let window: Window | undefined

  const throttle = (operation: string): LocalResponse | undefined => {
    if (!options.throttle) return undefined
    const kind = operation === 'setSecret' ? 'create' : 'other'
    const admission = admit(window, kind, control.clock.now())
    window = admission.window
    if (admission.retryAfterSeconds === undefined) return undefined
    const headers = { 'retry-after': String(admission.retryAfterSeconds) }
    return refuse(failures.throttled(), headers)
  }

  const run = (target: Target, { url, headers, body }: LocalRequest): Outcome<Answer> => {
    const version = checkApiVersion(url.searchParams.get('api-version'))
    if (!version.ok) return version
    const name = target.name === '' ? succeed('') : readName(target.name)
    if (!name.ok) return name
    return target.operation.run({
      ...target,
      // ids and links are https whatever the transport, as a client would refuse to follow any other
      vault: { origin: `https://${headers['host'] ?? url.host}`, retention },
      secrets,
      now: control.clock.now(),
      newVersion: () => randomUUID().replaceAll('-', ''),
      path: url.pathname,
      query: url.searchParams,
      body,
    })
  }

  const challenge = `Bearer authorization="https://login.microsoftonline.com/${options.tenantId ?? LOCAL_TENANT_ID}", resource="${AUDIENCE}"`
  const handle = async (request: LocalRequest): Promise<LocalResponse> => {
    const refusal = await checkBearer(options.verify, request.headers['authorization'])
    if (refusal) return refuse(refusal, { 'www-authenticate': challenge })
    const target = targetOf(request)
    if (!target) return refuse(failures.methodNotAllowed(request.method))
    const throttled = throttle(target.operation.name)
    if (throttled) return throttled
    const outcome = run(target, request)
    return outcome.ok ? outcome.value : refuse(outcome.failure)
  }

  const certificate = stack.use(await createCertificate())
  const server = stack.use(
    await serveHttp({
      ...options,
      control,
      bodyLimit: BODY_LIMIT,
      operation: operationName,
      handle: async (request) => withServiceHeaders(request, await handle(request)),
    }),
  )
  stack.use(alsoServeTls(server, certificate))
  const owned = stack.move()
  return {
    name: 'key-vault',
    settings: {
      KEY_VAULT_URL: `https://127.0.0.1:${server.port}`,
      NODE_EXTRA_CA_CERTS: certificate.authorityPath,
    },
    control,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const MIN_RETENTION_DAYS = 7
const MAX_RETENTION_DAYS = 90

/** A backup holds every version of a secret, so it may be much larger than one value. */
const BODY_LIMIT = 200 * LIMITS.valueBytes

/** Names, versions and flags; never a value. */
function describe(secrets: SecretTable, now: number): object {
  return secrets.entries().map(([, secret]) => ({
    name: secret.name,
    phase: phaseOf(secret, now),
    latest: latestOf(secret).version,
    versions: secret.versions.map(({ version, enabled, exp, nbf, created, updated }) => ({
      version,
      enabled,
      exp,
      nbf,
      created,
      updated,
    })),
  }))
}

function operationName(request: LocalRequest): string {
  if (request.headers['authorization'] === undefined) return 'challenge'
  return targetOf(request)?.operation.name ?? 'unknown'
}

function targetOf({ method, url }: LocalRequest): Target | undefined {
  for (const operation of operations) {
    const match = operation.method === method ? operation.path.exec(url.pathname) : null
    if (match) {
      const { name = '', version = '' } = match.groups ?? {}
      return { operation, name: decode(name), version: decode(version) }
    }
  }
  return undefined
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function checkBearer(
  verify: KeyVaultOptions['verify'],
  authorization: string | undefined,
): Promise<Failure | undefined> {
  const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return failures.missingToken()
  if (verify === 'any bearer') return undefined
  const verdict = await verify(token, AUDIENCE)
  return verdict.valid ? undefined : whyNot(verdict)
}

function whyNot(verdict: Exclude<TokenVerdict, { valid: true }>): Failure {
  return verdict.reason === 'audience'
    ? failures.wrongAudience(verdict.audience)
    : failures.badToken(verdict.reason)
}

function refuse(
  { status, code, message, innerCode }: Failure,
  headers: Readonly<Record<string, string>> = {},
): LocalResponse {
  const innererror = innerCode === undefined ? {} : { innererror: { code: innerCode } }
  return { status, headers, body: { error: { code, message, ...innererror } } }
}

function withServiceHeaders({ headers }: LocalRequest, response: LocalResponse): LocalResponse {
  const requestId = headers['x-ms-client-request-id']
  return {
    ...response,
    headers: {
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'x-ms-keyvault-region': 'local',
      'x-ms-request-id': randomUUID(),
      ...(requestId === undefined ? {} : { 'x-ms-client-request-id': requestId }),
      ...response.headers,
    },
  }
}
