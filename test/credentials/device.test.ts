import { describe, expect, test } from 'vitest'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import type { Connection } from '../../src/core/connection.ts'
import { registeredInstance } from '../../src/credentials/device.ts'
import { deviceCredentialId, olderSecretName } from '../../src/credentials/secret.ts'
import { connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

const USER = '6816f79cc0a8016401c5a33be04be441'
const caller = { tenantId: 'tenant-1', userId: USER }

const official = connectionTo('https://acme.service-now.com')

describe('S52: which instance a caller means', () => {
  test.for([
    'https://acme.service-now.com',
    'https://acme.service-now.com/',
    'https://ACME.Service-Now.com',
    'https://acme.service-now.com:443',
  ])('%s is the registered one', (text) => {
    expect(registeredInstance(text, [official])?.origin).toBe('https://acme.service-now.com')
  })

  test.for([
    ['another name with the same dashes', 'https://acme-service.now.com'],
    ['a name within another domain', 'https://acme.service-now.com.evil.example'],
    ['a name before ours', 'https://evil-acme.service-now.com'],
    ['a deeper name', 'https://x.acme.service-now.com'],
    ['the bare domain', 'https://service-now.com'],
    ['plain http', 'http://acme.service-now.com'],
    ['another port', 'https://acme.service-now.com:8443'],
    ['a user before the host', 'https://acme.service-now.com@evil.example'],
    ['a user at our host', 'https://user:pass@acme.service-now.com'],
    ['an empty user', 'https://@acme.service-now.com'],
    ['a trailing dot', 'https://acme.service-now.com.'],
    ['a path', 'https://acme.service-now.com/evil'],
    ['a path that climbs', 'https://evil.example/../acme.service-now.com'],
    ['a path that comes back', 'https://acme.service-now.com/x/..'],
    ['an encoded slash', 'https://evil.example%2f.acme.service-now.com'],
    ['a backslash', 'https://evil.example\\.acme.service-now.com'],
    ['a backslash after the host', 'https://acme.service-now.com\\@evil.example'],
    ['a query', 'https://acme.service-now.com?x=1'],
    ['a fragment', 'https://evil.example#acme.service-now.com'],
    ['IPv4', 'https://127.0.0.1'],
    ['IPv4 as one number', 'https://2130706433'],
    ['IPv4 in octal', 'https://0177.0.0.1'],
    ['IPv6', 'https://[::1]'],
    ['IPv4 within IPv6', 'https://[::ffff:127.0.0.1]'],
    ['the metadata service', 'http://169.254.169.254'],
    ['localhost', 'http://localhost:7071'],
    ['wide letters', 'https://ａcme.service-now.com'],
    ['a Cyrillic letter', 'https://аcme.service-now.com'],
    ['a wide dot', 'https://acme。service-now.com'],
    ['an invisible letter', 'https://acme\u200b.service-now.com'],
    ['a tab inside', 'https://acme\t.service-now.com'],
    ['a line end', 'https://acme.service-now.com\n'],
    ['a space before', ' https://acme.service-now.com'],
    ['no scheme', 'acme.service-now.com'],
    ['no host', '//acme.service-now.com'],
    ['another scheme', 'ftp://acme.service-now.com'],
    ['a file', 'file://acme.service-now.com/'],
    ['a script', 'javascript:alert(1)//acme.service-now.com'],
    ['a scheme without slashes', 'https:acme.service-now.com'],
    ['nothing', ''],
    ['too much', `https://${'a'.repeat(400)}.service-now.com`],
  ])('%s is not: %s', ([, text]) => {
    expect(registeredInstance(text ?? '', [official])).toBeUndefined()
  })
})

describe('names of secrets', () => {
  test('the older name is the documented one', () => {
    expect(olderSecretName('user1', 'https://acme.service-now.com')).toBe(
      'refresh-token-user1-acme-service-now-com',
    )
  })

  test.for([
    ['a host that reads as another', 'user1', 'https://acme-service.now.com'],
    ['a host that reads as another', 'user1', 'https://acme.service.now.com'],
    ['a person whose id runs into the host', 'user-acme', 'https://x.service-now.com'],
    ['a person whose id is a path', '../user1', 'https://acme.service-now.com'],
  ])('S52: no older name is believed for %s: %s %s', ([, user, origin]) => {
    expect(olderSecretName(user ?? '', origin ?? '')).toBeUndefined()
  })

  test('S52: new names differ wherever tenant, person or origin do', () => {
    const parts = ['a', 'a-b', 'b', 'https://a.b', 'https://a-b', 'https://a.b:8443', '1:a', '']
    const all = parts.flatMap((tenantId) =>
      parts.flatMap((userSysId) =>
        parts.map((origin) => deviceCredentialId({ tenantId, userSysId, origin })),
      ),
    )
    expect(new Set(all).size).toBe(parts.length ** 3)
    expect(all.every((id) => /^device-[0-9a-f]{40}$/.test(id))).toBe(true)
  })
})

async function world(connections: (origin: string) => readonly Connection[]) {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile: 'servicenow' }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const here = await connecting({
    provider: localProvider,
    client: TWIN_CLIENT,
    connections: connections(origin),
  })
  const owned = starting.move()
  return { ...here, twin, origin, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const OLDER = `refresh-token-${USER}-127-0-0-1`

describe('a phone that asks for a token', () => {
  test('gets one with the lifetime that is really left, from the token that an older version kept', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const request = { caller, userSysId: USER, instanceUrl: here.origin }
    const first = await here.refreshForDevice(request)
    expect(here.twin.control.families.isLiveAccess(first.accessToken)).toBe(true)
    expect(first.tokenType).toBe('Bearer')
    expect([1_799, 1_798, 1_797]).toContain(first.expiresIn)
    here.advance(600_000)
    const second = await here.refreshForDevice(request)
    expect(second.accessToken).toBe(first.accessToken)
    expect([600, 601, 602]).toContain(first.expiresIn - second.expiresIn)
    expect(here.calls).toHaveLength(1)
  })

  test('S47: shares one refresh with everybody who asks at the same time, in any process', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const request = { caller, userSysId: USER, instanceUrl: here.origin }
    const instances = Array.from({ length: 5 }, () => here.anotherInstance())
    const got = await Promise.all(
      instances.flatMap((one) => [one.refreshForDevice(request), one.refreshForDevice(request)]),
    )
    expect(new Set(got.map(({ accessToken }) => accessToken)).size).toBe(1)
    expect(here.calls).toHaveLength(1)
  })

  test('stores a rotated refresh token, and the second call works', async () => {
    await using here = await world((origin) => [connectionTo(origin, { integrationId: 'zendesk' })])
    here.twin.control.play('zendesk')
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const request = { caller, userSysId: USER, instanceUrl: here.origin }
    for (let round = 0; round < 3; round += 1) {
      const { accessToken } = await here.refreshForDevice(request)
      expect(here.twin.control.families.isLiveAccess(accessToken)).toBe(true)
      here.advance(3_600_000)
    }
    expect(here.twin.control.families.replayed()).toBe(0)
  })

  test.for([
    ['another person', { userSysId: 'somebodyelse' }, 'forbidden'],
    ['another instance', { instanceUrl: 'https://acme-service.now.com' }, 'forbidden'],
    ['another tenant’s instance', { instanceUrl: 'https://beta.service-now.com' }, 'forbidden'],
    [
      'an instance with no token',
      { instanceUrl: 'https://acme.service-now.com' },
      'credential_not_found',
    ],
  ] as const)('S52: is refused for %s, and nobody is called', async ([, change, code]) => {
    await using here = await world((origin) => [
      connectionTo(origin),
      connectionTo('https://acme.service-now.com', { id: 'conn-2' }),
      connectionTo('https://beta.service-now.com', { id: 'conn-3', tenantId: 'tenant-2' }),
    ])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const request = { caller, userSysId: USER, instanceUrl: here.origin, ...change }
    await expect(here.refreshForDevice(request)).rejects.toMatchObject({ code })
    expect(here.calls).toEqual([])
  })

  test('S52: an older token whose name fits two tenants’ instances is given to neither', async () => {
    await using here = await world((origin) => [
      connectionTo(origin),
      connectionTo(origin, { id: 'conn-9', tenantId: 'tenant-2' }),
    ])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const asked = here.refreshForDevice({ caller, userSysId: USER, instanceUrl: here.origin })
    await expect(asked).rejects.toMatchObject({ code: 'credential_not_found' })
    expect(here.calls).toEqual([])
  })

  test('S52: an instance that redirects is not followed', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    await using elsewhere = await startOAuthProvider()
    const location = `${elsewhere.settings['OAUTH_PROVIDER_URL']}/oauth_token.do`
    here.twin.control.fail({ operation: '^token$', times: 9, status: 307, headers: { location } })
    const asked = here.refreshForDevice({ caller, userSysId: USER, instanceUrl: here.origin })
    await expect(asked).rejects.toMatchObject({ code: 'token_refresh_failed' })
    expect(new Set(here.calls)).toEqual(new Set([`${here.origin}/oauth_token.do`]))
    expect(elsewhere.control.requests).toEqual([])
  })

  test('must connect again when its grant is dead, and is not sent to the provider any more', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    await here.vault.set(OLDER, 'a-token-that-nobody-knows')
    const request = { caller, userSysId: USER, instanceUrl: here.origin }
    for (let round = 0; round < 3; round += 1) {
      await expect(here.refreshForDevice(request)).rejects.toMatchObject({
        code: 'reauth_required',
      })
    }
    expect(here.calls).toHaveLength(1)
  })

  test('may ask a few times at once, and thirty times a minute', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    await here.vault.set(OLDER, here.twin.control.families.connect())
    const request = { caller, userSysId: USER, instanceUrl: here.origin }
    for (let asked = 0; asked < 15; asked += 1) await here.refreshForDevice(request)
    await expect(here.refreshForDevice(request)).rejects.toMatchObject({ code: 'rate_limited' })
    here.advance(60_000)
    await here.refreshForDevice(request)
  })
})

describe('a phone that a person connects', () => {
  const person = { subject: USER, tenantId: 'tenant-1', roles: [], userId: USER }

  async function connectPhone(here: Awaited<ReturnType<typeof world>>, deviceLabel = 'my phone') {
    const {
      url,
      proof,
      sessionToken = '',
    } = await here.startAuthorization({
      caller: person,
      connectionId: 'conn-1',
      redirectUri: 'http://127.0.0.1:7071/api/oauth/callback',
      deviceLabel,
    })
    const sent = await fetch(url, { redirect: 'manual' })
    const back = new URL(sent.headers.get('location') ?? '').searchParams
    const callback = { state: back.get('state') ?? '', code: back.get('code') ?? '', proof }
    return { sessionToken, callback }
  }

  const nobody = () => Promise.reject(new Error('the session is its own proof'))

  test('has a session that works from the consent until it is revoked', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    const { sessionToken, callback } = await connectPhone(here)
    const early = here.deviceCaller(sessionToken, nobody)
    await expect(early).rejects.toMatchObject({ code: 'unauthenticated' })
    await here.completeAuthorization(callback)
    const holder = await here.deviceCaller(sessionToken, nobody)
    const token = await here.refreshForDevice({
      caller: holder,
      userSysId: USER,
      instanceUrl: here.origin,
    })
    expect(here.twin.control.families.isLiveAccess(token.accessToken)).toBe(true)
    const of = { tenantId: 'tenant-1', userSysId: USER }
    const [session] = await here.listSessions(of)
    expect(session).toMatchObject({ label: 'my phone', origin: here.origin, status: 'active' })
    const stranger = here.revokeSession({ ...of, userSysId: 'another', id: session?.id ?? '' })
    await expect(stranger).rejects.toMatchObject({ code: 'session_not_found' })
    await here.revokeSession({ ...of, id: session?.id ?? '' })
    const late = here.deviceCaller(sessionToken, nobody)
    await expect(late).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.for([
    [
      'with a letter changed',
      (token: string) => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    ],
    [
      'of another tenant',
      (token: string) =>
        token.replace(/\.[^.]+\./, `.${Buffer.from('tenant-2').toString('base64url')}.`),
    ],
    ['without a tenant', () => 'device1..x'],
    ['of nothing', () => 'device1.'],
  ] as const)('has no use of a session token %s', async ([, change]) => {
    await using here = await world((origin) => [connectionTo(origin)])
    const { sessionToken, callback } = await connectPhone(here)
    await here.completeAuthorization(callback)
    const asked = here.deviceCaller(change(sessionToken), nobody)
    await expect(asked).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('S52: cannot use its session for another instance of the tenant', async () => {
    await using here = await world((origin) => [
      connectionTo(origin),
      connectionTo('https://acme.service-now.com', { id: 'conn-2' }),
    ])
    const { sessionToken, callback } = await connectPhone(here)
    await here.completeAuthorization(callback)
    const holder = await here.deviceCaller(sessionToken, nobody)
    const asked = here.refreshForDevice({
      caller: holder,
      userSysId: USER,
      instanceUrl: 'https://acme.service-now.com',
    })
    await expect(asked).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('may not authorize the whole connection', async () => {
    await using here = await world((origin) => [connectionTo(origin)])
    const asked = here.startAuthorization({
      caller: person,
      connectionId: 'conn-1',
      redirectUri: 'http://127.0.0.1:7071/api/oauth/callback',
    })
    await expect(asked).rejects.toMatchObject({ code: 'forbidden' })
  })
})
