import { expect, test } from 'vitest'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { limiter } from '../../src/rate-limit/limiter.ts'
import { limitOverridesShape, type OutgoingCall } from '../../src/rate-limit/limits.ts'
import { admin, connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'
import { silentLog } from './simulation.ts'

const start = Date.parse('2026-03-01T10:00:00.000Z')

/** `count` connections of one tenant with a provider, under limits that tests step through. */
async function world({ count = 1, perMinute = 300 }: { count?: number; perMinute?: number } = {}) {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile: 'servicenow' }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const names = Array.from({ length: count }, (_, index) => String(index + 1))
  const connections = names.map((name) =>
    connectionTo(origin, { id: `conn-${name}`, credentialId: `cred-${name}` }),
  )
  const time = { nowMs: start, slept: 0 }
  const clock = () => new Date(time.nowMs)
  const sleep = async (ms: number) => {
    time.slept = Math.max(time.slept, ms)
    time.nowMs += ms
  }
  const operations = { token: perMinute }
  const overrides = limitOverridesShape.parse({ integrations: { servicenow: { operations } } })
  const limits = limiter({
    shared: undefined,
    overrides,
    partAlone: 1,
    clock,
    sleep,
    log: silentLog,
  })
  const here = await connecting({
    provider: localProvider,
    client: TWIN_CLIENT,
    connections,
    limits,
    // Whoever prolongs a lease waits until that is not needed any more.
    time: { clock, pause: (ms, signal) => (signal ? untilAborted(signal) : sleep(ms)) },
  })
  for (const name of names) {
    const document = {
      id: `cred-${name}`,
      tenantId: 'tenant-1',
      integrationId: 'servicenow',
      type: 'oauth2',
      expiryTime: new Date(start).toISOString(),
      enabled: true,
      needsReauth: false,
      refreshCount: 0,
    } as const
    await here.credentials.write(['tenant-1'], [{ kind: 'create', document }])
    const refreshToken = twin.control.families.connect()
    const secret = JSON.stringify({ kind: 'refresh_token', refreshToken })
    await here.vault.set(`credential-cred-${name}`, secret)
  }
  const owned = starting.move()
  const requestOf = (name: string) => ({
    tenantId: 'tenant-1',
    credentialId: `cred-${name}`,
    integrationId: 'servicenow',
    connectionId: `conn-${name}`,
    origin,
  })
  return {
    ...here,
    twin,
    limits,
    time,
    requestOf,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })
}

const call: OutgoingCall = {
  integrationId: 'servicenow',
  operation: 'fetch',
  tenantId: 'tenant-1',
  connectionId: 'conn-1',
  lane: 'incremental',
}
const tooMany = { status: 429, headers: new Headers({ 'retry-after': '90' }) }

test('S23: a refresh at a host that pauses is put off, told as no failure, and done when the pause is over', async () => {
  await using here = await world()
  await here.limits.learnFrom(call, tooMany)
  const answer = await here.getCredential(here.requestOf('1'))
  expect(answer).toMatchObject({ kind: 'retry', limited: true, afterMs: 90_000 })
  expect(here.calls).toEqual([])
  // Another instance finds that in the document, and asks nobody.
  const other = here.anotherInstance()
  here.time.nowMs += 30_000
  expect(await other.getCredential(here.requestOf('1'))).toMatchObject({
    kind: 'retry',
    limited: true,
    afterMs: 60_000,
  })
  expect(here.credentials.all()).toMatchObject([
    { cooldown: { failures: 0 }, lease: null, intent: null, needsReauth: false },
  ])
  here.time.nowMs += 60_001
  expect(await here.getCredential(here.requestOf('1'))).toMatchObject({ kind: 'authorized' })
  expect(here.calls).toHaveLength(1)
})

test('S53: a token endpoint that answers 429 stops the calls to its host as well', async () => {
  await using here = await world()
  here.twin.control.fail({
    operation: '^token$',
    times: 1,
    status: 429,
    headers: { 'retry-after': '120' },
  })
  expect(await here.getCredential(here.requestOf('1'))).toMatchObject({ kind: 'retry' })
  expect(await here.limits.checkRateLimit(call)).toEqual({
    kind: 'queued',
    level: 'pause',
    waitMs: 120_000,
  })
  const elsewhere = { ...call, connectionId: 'conn-9' }
  expect(await here.limits.checkRateLimit(elsewhere)).toEqual({ kind: 'allowed' })
})

test('each refresh is counted: their limit is kept, and they use up the connection’s', async () => {
  await using here = await world({ count: 12, perMinute: 20 })
  const answers = []
  for (let at = 1; at <= 12; at += 1) {
    answers.push(await here.getCredential(here.requestOf(String(at))))
  }
  const limited = answers.filter((one) => one.kind === 'retry' && one.limited)
  expect(here.calls.length).toBe(12 - limited.length)
  expect(here.calls.length).toBeLessThanOrEqual(5)
  expect(here.time.slept).toBeLessThanOrEqual(1_000)
})

test('S23: the sweep keeps the pace, sleeps no longer than a second at a time, and loses none', async () => {
  await using here = await world({ count: 30, perMinute: 120 })
  const audit = await here.refreshExpiring({ thresholdMs: 3_600_000, timeLimitMs: 480_000 })
  expect(audit).toMatchObject({ totalAttempted: 30, successful: 30, failed: 0, postponed: 0 })
  expect(here.calls).toHaveLength(30)
  expect(here.time.slept).toBeLessThanOrEqual(1_000)
  expect(here.time.nowMs - start).toBeGreaterThan(10_000)
})

test('S23: what the sweep has no quota for is left to the next run, which takes it first', async () => {
  await using here = await world({ count: 3 })
  await here.limits.learnFrom({ ...call, connectionId: 'conn-2' }, tooMany)
  const limits = { thresholdMs: 3_600_000, timeLimitMs: 480_000 }
  const audit = await here.refreshExpiring(limits)
  expect(audit).toMatchObject({ totalAttempted: 2, successful: 2, failed: 0, postponed: 1 })
  here.time.nowMs += 90_000
  expect(await here.refreshExpiring(limits)).toMatchObject({ successful: 1, postponed: 0 })
})

test('a person who connects while the host pauses is told to wait, and the state stays good', async () => {
  await using here = await world()
  const { url, proof } = await here.startAuthorization({
    caller: admin,
    connectionId: 'conn-1',
    redirectUri: 'http://127.0.0.1:7071/api/oauth/callback',
  })
  const sent = await fetch(url, { redirect: 'manual' })
  const back = new URL(sent.headers.get('location') ?? '').searchParams
  const given = { state: back.get('state') ?? '', code: back.get('code') ?? '', proof }
  await here.limits.learnFrom(call, { ...tooMany, headers: new Headers({ 'retry-after': '5' }) })
  await expect(here.completeAuthorization(given)).rejects.toMatchObject({
    code: 'rate_limited',
    afterMs: 5_000,
  })
  here.time.nowMs += 5_001
  expect(await here.completeAuthorization(given)).toMatchObject({
    purpose: { connectionId: 'conn-1' },
  })
})

test('a credential is not ended without its provider hearing of it: the caller is told to wait', async () => {
  await using here = await world()
  await here.limits.learnFrom(call, tooMany)
  const of = here.requestOf('1')
  await expect(here.disconnect(of)).rejects.toMatchObject({
    code: 'rate_limited',
    afterMs: 90_000,
  })
  here.time.nowMs += 90_001
  await here.disconnect(of)
  expect(await here.vault.latest('credential-cred-1')).toBeUndefined()
})
