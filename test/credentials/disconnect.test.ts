import { describe, expect, test } from 'vitest'
import { profiles, type ProfileName } from '../../infra/local/oauth/profiles.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { admin, connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

const REDIRECT_URI = 'http://127.0.0.1:7071/api/oauth/callback'
const USER = '6816f79cc0a8016401c5a33be04be441'
const person = { subject: USER, tenantId: 'tenant-1', roles: ['viewer'], userId: USER }
const names = Object.keys(profiles) as ProfileName[] // its own keys
const told = names.filter((name) => 'revocation' in profiles[name])

/** A connection that a person has authorized, and the phone of another. */
async function world(profile: ProfileName) {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const here = await connecting({
    provider: localProvider,
    client: TWIN_CLIENT,
    connections: [connectionTo(origin, { integrationId: profile })],
  })
  const connect = async (more: object) => {
    const { url, proof } = await here.startAuthorization({
      caller: admin,
      connectionId: 'conn-1',
      redirectUri: REDIRECT_URI,
      ...more,
    })
    const sent = await fetch(url, { redirect: 'manual' })
    const back = new URL(sent.headers.get('location') ?? '').searchParams
    const callback = { state: back.get('state') ?? '', code: back.get('code') ?? '' }
    await here.completeAuthorization({ ...callback, proof })
    return proof
  }
  await connect({})
  const of = { tenantId: 'tenant-1', credentialId: 'cred-1', integrationId: profile, origin }
  const grants = () =>
    [...here.vault.secrets]
      .filter(([name]) => name.startsWith('credential-'))
      .map(([, versions]) => JSON.parse(versions.at(-1)?.value ?? '{}') as Grant) // the world's own
  const owned = starting.move()
  return {
    ...here,
    twin,
    of,
    connectPhone: () => connect({ caller: person, deviceLabel: 'my phone' }),
    grants,
    isLive: ({ refreshToken }: Grant) => twin.control.families.isLiveRefresh(refreshToken),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Grant {
  readonly refreshToken: string
}

function isGone(here: Awaited<ReturnType<typeof world>>): void {
  expect(here.credentials.all()).toEqual([])
  expect(here.grants()).toEqual([])
}

describe.for(told)('a credential of %s that is ended', (name) => {
  test.for([
    ['has a token that works', 0],
    ['has a token that has ended', 24 * 3_600_000],
  ] as const)('and %s: the vendor ends the grant, and nothing is left', async ([, laterMs]) => {
    await using here = await world(name)
    const grants = here.grants()
    expect(grants.map(here.isLive)).toEqual([true])
    here.advance(laterMs)
    here.twin.control.clock.advance(laterMs)
    await here.disconnect(here.of)
    expect(grants.map(here.isLive)).toEqual([false])
    expect(here.twin.control.families.replayed()).toBe(0)
    isGone(here)
    const calls = here.calls.length
    await here.disconnect(here.of)
    expect(here.calls).toHaveLength(calls)
  })
})

test.for(names.filter((name) => !told.includes(name)))(
  '%s has no way to be told: our side is removed all the same',
  async (name) => {
    await using here = await world(name)
    const calls = here.calls.length
    await here.disconnect(here.of)
    expect(here.calls).toHaveLength(calls)
    isGone(here)
  },
)

describe('ending a credential', () => {
  test('ends the phones at the instance, their sessions and their grants', async () => {
    await using here = await world('servicenow')
    const session = await here.connectPhone()
    const grants = here.grants()
    expect(grants.map(here.isLive)).toEqual([true, true])
    await here.disconnect(here.of)
    expect(grants.map(here.isLive)).toEqual([false, false])
    const nobody = () => Promise.reject(new Error('the session is its own proof'))
    await expect(here.deviceCaller(session, nobody)).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    isGone(here)
  })

  test('leaves the phones alone while another connection leads to the instance', async () => {
    await using here = await world('servicenow')
    const second = connectionTo(here.of.origin, { id: 'conn-2', credentialId: 'cred-2' })
    await here.connections.write(['tenant-1'], [{ kind: 'create', document: second }])
    await here.connectPhone()
    await here.disconnect(here.of)
    expect(here.credentials.all()).toMatchObject([{ type: 'device', enabled: true }])
    expect(here.grants().map(here.isLive)).toEqual([true])
    expect(here.sessions.all().filter(({ kind }) => kind === 'device-session')).toMatchObject([
      { status: 'active' },
    ])
  })

  test('leaves another tenant’s phones at the same instance alone', async () => {
    await using here = await world('servicenow')
    await here.connectPhone()
    const mine = here.credentials.all().find(({ type }) => type === 'device')
    if (!mine) throw new Error('there is no phone')
    const theirs = { ...mine, id: 'device-theirs', tenantId: 'tenant-2' }
    await here.credentials.write(['tenant-2'], [{ kind: 'create', document: theirs }])
    await here.disconnect(here.of)
    expect(here.credentials.all()).toEqual([theirs])
  })

  test.for([
    ['is down', { status: 503 }],
    ['is too busy', { status: 429 }],
    ['loses the call', { connection: 'drop' }],
  ] as const)('waits where the vendor %s: nobody gets the token meanwhile', async ([, fault]) => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^revoke$', ...fault })
    await expect(here.disconnect(here.of)).rejects.toMatchObject({ code: 'vendor_failed' })
    expect(await here.anotherInstance().getCredential(here.of)).toMatchObject({
      code: 'credential_not_found',
    })
    const grants = here.grants()
    expect(grants.map(here.isLive)).toEqual([true])
    // Our own limits let nobody call a busy vendor at once.
    here.advance(120_000)
    await here.disconnect(here.of)
    expect(grants.map(here.isLive)).toEqual([false])
    isGone(here)
  })

  test('does not wait for ever: an instance may be gone for good', async () => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^revoke$', times: 9, status: 503 })
    await expect(here.disconnect(here.of)).rejects.toMatchObject({ code: 'vendor_failed' })
    here.advance(24 * 3_600_000)
    await here.disconnect(here.of)
    isGone(here)
  })

  test('that was begun is over once a person connects again', async () => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^revoke$', status: 503 })
    await expect(here.disconnect(here.of)).rejects.toMatchObject({ code: 'vendor_failed' })
    const { url, proof } = await here.startAuthorization({
      caller: admin,
      connectionId: 'conn-1',
      redirectUri: REDIRECT_URI,
    })
    const sent = await fetch(url, { redirect: 'manual' })
    const back = new URL(sent.headers.get('location') ?? '').searchParams
    const callback = { state: back.get('state') ?? '', code: back.get('code') ?? '' }
    await here.completeAuthorization({ ...callback, proof })
    expect(await here.getCredential(here.of)).toMatchObject({ kind: 'authorized' })
    expect(here.credentials.all()).toMatchObject([{ endedAt: null }])
    here.advance(24 * 3_600_000)
    expect(await here.getCredential(here.of)).toMatchObject({ kind: 'authorized' })
  })

  test('leaves the phones at another instance of the tenant alone', async () => {
    await using here = await world('servicenow')
    await here.connectPhone()
    const mine = here.credentials.all().find(({ type }) => type === 'device')
    if (!mine?.device) throw new Error('there is no phone')
    const device = { ...mine.device, origin: 'https://beta.service-now.com' }
    const other = { ...mine, id: 'device-there', device }
    await here.credentials.write(['tenant-1'], [{ kind: 'create', document: other }])
    await here.disconnect(here.of)
    expect(here.credentials.all()).toEqual([other])
  })

  test.for(['servicenow', 'zendesk', 'salesforce'] as const)(
    'while %s is slow to refresh: what comes of it is ended too',
    async (name) => {
      await using here = await world(name)
      here.advance(24 * 3_600_000)
      const held = here.twin.control.hold('processed')
      const late = here.anotherInstance().getCredential(here.of)
      await held.reached
      await here.disconnect(here.of)
      isGone(here)
      held.release()
      expect(await late).toMatchObject({ kind: 'refused', code: 'credential_not_found' })
      expect(here.twin.control.families.liveRefreshes()).toBe(0)
      isGone(here)
    },
  )

  test('ends the youngest grant, where a refresh died before it could say which counts', async () => {
    await using here = await world('salesforce')
    here.advance(24 * 3_600_000)
    here.vault.after = (operation) => {
      if (operation === 'set') throw new Error('crashed')
    }
    const dying = here.anotherInstance().getCredential(here.of)
    await expect(dying).rejects.toThrow('crashed')
    delete here.vault.after
    const grants = here.grants()
    expect(grants.map(here.isLive)).toEqual([true])
    await here.disconnect(here.of)
    expect(grants.map(here.isLive)).toEqual([false])
    isGone(here)
  })

  test('that waits for the vendor gives nobody what a slow refresh brings meanwhile', async () => {
    await using here = await world('salesforce')
    here.advance(24 * 3_600_000)
    const held = here.twin.control.hold('processed')
    const late = here.anotherInstance().getCredential(here.of)
    await held.reached
    here.twin.control.fail({ operation: '^revoke$', status: 503 })
    await expect(here.disconnect(here.of)).rejects.toMatchObject({ code: 'vendor_failed' })
    held.release()
    expect(await late).toMatchObject({ code: 'credential_not_found' })
    expect(here.twin.control.families.liveRefreshes()).toBe(0)
    await here.disconnect(here.of)
    isGone(here)
  })

  test.for(['vault', 'credentials', 'sessions'] as const)(
    'can be begun again after a crash before or after any step of the %s',
    async (part) => {
      let crashes = 0
      for (let step = 1; ; step += 1) {
        await using here = await world('servicenow')
        await here.connectPhone()
        const grants = here.grants()
        let left = step
        const crash = () => {
          left -= 1
          if (left === 0) throw new Error('crashed')
        }
        here[part].before = crash
        here[part].after = crash
        const crashed = await here.disconnect(here.of).then(
          () => false,
          () => true,
        )
        delete here[part].before
        delete here[part].after
        here.advance(60_000)
        await here.disconnect(here.of)
        expect(grants.map(here.isLive)).toEqual([false, false])
        isGone(here)
        expect(here.sessions.all().filter(({ status }) => status === 'active')).toEqual([])
        if (!crashed && left > 0) break
        crashes += 1
      }
      expect(crashes).toBeGreaterThan(1)
    },
  )
})
