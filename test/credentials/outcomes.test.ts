import { describe, expect, test } from 'vitest'
import { profiles, type ProfileName } from '../../infra/local/oauth/profiles.ts'
import { startOAuthProvider } from '../../infra/local/oauth/provider.ts'
import { providers } from '../../src/credentials/providers.ts'
import { reconnect, refreshTokenOf, world } from './vendor-world.ts'

const names = Object.keys(profiles) as ProfileName[] // its own keys

test('every vendor of the table can be played', () => {
  expect(providers.map(({ integrationId }) => integrationId).sort()).toEqual([...names].sort())
})

describe.for(names)('tokens of %s', (name) => {
  test('are refreshed again and again, each time with the token that came last', async () => {
    await using here = await world(name)
    for (let round = 1; round <= 3; round += 1) {
      const answer = await here.ask()
      expect(answer.kind).toBe('authorized')
      const token = answer.kind === 'authorized' ? answer.headers['authorization'] : undefined
      expect(here.twin.control.families.isLiveAccess(token?.slice(7) ?? '')).toBe(true)
      expect(here.document()).toMatchObject({ refreshCount: round, needsReauth: false })
      here.advance(24 * 3_600_000)
    }
    expect(here.twin.control.families.replayed()).toBe(0)
    expect(here.told).toEqual([])
  })

  test('begin with a person’s consent, asked for as the vendor wants it', async () => {
    await using here = await world(name)
    await here.setSecret({ kind: 'refresh_token', refreshToken: 'of-long-ago' })
    await reconnect(here)
    for (let round = 1; round <= 2; round += 1) {
      const answer = await here.ask()
      const token = answer.kind === 'authorized' ? answer.headers['authorization'] : undefined
      expect(here.twin.control.families.isLiveAccess(token?.slice(7) ?? '')).toBe(true)
      here.advance(24 * 3_600_000)
    }
    expect(here.calls).toHaveLength(2)
    expect(here.twin.control.families.replayed()).toBe(0)
  })

  test('that were revoked: the admins are asked once, and the vendor is left alone', async () => {
    await using here = await world(name)
    await here.setSecret({ kind: 'refresh_token', refreshToken: 'revoked-long-ago' })
    const instances = Array.from({ length: 4 }, () => here.anotherInstance())
    await Promise.all(instances.map((one) => one.getCredential(here.request)))
    here.advance(24 * 3_600_000)
    expect(await here.ask()).toMatchObject({ kind: 'refused', code: 'reauth_required' })
    expect(await here.refusalOf(here.request)).toMatchObject({ code: 'reauth_required' })
    expect(here.calls).toHaveLength(1)
    expect(here.told).toEqual(['cred-1 reauth_required'])
  })

  test('of a client that is not accepted: nobody must connect again', async () => {
    await using here = await world(name, { clientId: 'twin-client', clientSecret: 'old' })
    // ServiceNow says the same of a wrong client and of a dead token.
    const expected =
      name === 'servicenow'
        ? { told: ['cred-1 reauth_required'], needsReauth: true }
        : { told: ['cred-1 client_refused'], needsReauth: false }
    for (let round = 0; round < 3; round += 1) {
      expect((await here.ask()).kind).not.toBe('authorized')
      here.advance(3_600_000)
    }
    expect(here.told).toEqual(expected.told)
    expect(here.document()?.needsReauth).toBe(expected.needsReauth)
  })
})

describe('S50: what goes wrong at a token endpoint', () => {
  const html = { headers: { 'content-type': 'text/html' }, body: '<html>maintenance</html>' }

  test.for([
    ['503', { status: 503 }],
    ['502 with a page', { status: 502, ...html }],
    ['200 with a page', { status: 200, ...html }],
    ['a broken body', { status: 200, body: '{"access_token":' }],
    ['an answer without a token', { status: 200, body: '{}' }],
    ['a closed connection at a vendor that forgives', { connection: 'drop' }],
  ] as const)('%s: three tries, then a pause, then it works', async ([, fault]) => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^token$', times: 3, ...fault })
    const answer = await here.ask()
    expect(answer).toMatchObject({ kind: 'retry' })
    expect(here.calls).toHaveLength(3)
    // In the pause nobody is called, whoever asks.
    await here.anotherInstance().getCredential(here.request)
    expect(here.calls).toHaveLength(3)
    here.advance(31_000)
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.told).toEqual([])
    expect(here.document()).toMatchObject({ cooldown: null, needsReauth: false })
  })

  test('pauses grow with every failure, to a quarter of an hour', async () => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^token$', times: 1_000, status: 503 })
    const pauses: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const answer = await here.ask()
      const afterMs = answer.kind === 'retry' ? answer.afterMs : 0
      pauses.push(Math.round(afterMs / 1_000))
      here.advance(afterMs + 1)
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 900, 900, 900])
  })

  test.for([
    ['no word of when', {}, 60],
    ['a short wait', { 'retry-after': '5' }, 60],
    ['a long wait', { 'retry-after': '300' }, 300],
    ['a wait of a day', { 'retry-after': '86400' }, 3_600],
  ] as const)('429 with %s', async ([, headers, seconds]) => {
    await using here = await world('servicenow')
    here.twin.control.fail({ operation: '^token$', status: 429, headers })
    const answer = await here.ask()
    expect(answer).toMatchObject({ kind: 'retry', afterMs: seconds * 1_000 })
    expect(here.calls).toHaveLength(1)
  })

  test('S49: a lost answer of a vendor whose tokens work once: one request to connect again, no second call', async () => {
    await using here = await world('zendesk')
    here.twin.control.fail({ operation: '^token$', connection: 'lose-answer' })
    expect(await here.ask()).toMatchObject({ kind: 'refused', code: 'reauth_required' })
    expect(here.calls).toHaveLength(1)
    expect(here.told).toEqual(['cred-1 reauth_required'])
    expect(here.twin.control.families.replayed()).toBe(0)
  })

  test('S49: where an administrator decides about rotation, the last answer tells whether a lost one is asked for again', async () => {
    await using here = await world('salesforce')
    const { control } = here.twin
    const body = JSON.stringify({ access_token: 'a' })
    control.fail({ operation: '^token$', status: 200, body })
    await here.ask()
    here.advance(3_600_000)
    control.fail({ operation: '^token$', connection: 'drop' })
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.calls).toHaveLength(3)
    // That one brought another token: from here on each works once.
    here.advance(3_600_000)
    control.fail({ operation: '^token$', connection: 'lose-answer' })
    expect(await here.ask()).toMatchObject({ code: 'reauth_required' })
    expect(here.calls).toHaveLength(4)
    expect(control.families.replayed()).toBe(0)
  })

  test('S49: half an answer of a vendor whose tokens work once is not asked for again', async () => {
    await using here = await world('zendesk')
    const body = '{"access_token":"a","refresh_tok'
    here.twin.control.fail({ operation: '^token$', status: 200, body })
    expect(await here.ask()).toMatchObject({ kind: 'refused', code: 'reauth_required' })
    expect(here.calls).toHaveLength(1)
  })

  test.for([
    ['servicenow', 'authorized', 2],
    ['google', 'authorized', 2],
    ['hubspot', 'authorized', 2],
    ['microsoft', 'authorized', 2],
    ['atlassian', 'authorized', 2],
    ['zendesk', 'refused', 1],
    ['github', 'refused', 1],
    ['slack', 'refused', 1],
    // Nobody knows yet whether these rotate.
    ['salesforce', 'refused', 1],
    ['notion', 'refused', 1],
  ] as const)('S49: after a lost answer of %s: %s, calls %d', async ([vendor, kind, calls]) => {
    await using here = await world(vendor)
    here.twin.control.fail({ operation: '^token$', connection: 'lose-answer' })
    expect((await here.ask()).kind).toBe(kind)
    expect(here.calls).toHaveLength(calls)
    expect(here.twin.control.families.replayed()).toBe(0)
  })

  test.for([
    ['microsoft', 23 * 60, 'authorized'],
    ['microsoft', 24 * 60, 'refused'],
    ['atlassian', 8, 'authorized'],
    ['atlassian', 10, 'refused'],
  ] as const)('S49: the window of %s after %d minutes: %s', async ([vendor, minutes, kind]) => {
    await using here = await world(vendor)
    const { control } = here.twin
    control.fail({ operation: '^token$', times: 3, connection: 'lose-answer' })
    expect((await here.ask()).kind).toBe('retry')
    here.advance(minutes * 60_000)
    control.clock.advance(minutes * 60_000)
    expect((await here.ask()).kind).toBe(kind)
    expect(here.calls).toHaveLength(kind === 'authorized' ? 4 : 3)
    expect(control.families.replayed()).toBe(0)
  })

  test('S49: a lost answer of a vendor with a reuse window is asked for again', async () => {
    await using here = await world('atlassian')
    here.twin.control.fail({ operation: '^token$', connection: 'lose-answer' })
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.calls).toHaveLength(2)
    expect(here.told).toEqual([])
  })

  test('a vendor that cannot be reached at all was not asked: the token is still good', async () => {
    await using here = await world('zendesk')
    const gone = await startOAuthProvider()
    await gone[Symbol.asyncDispose]()
    const nowhere = { ...here.request, origin: gone.settings['OAUTH_PROVIDER_URL'] ?? '' }
    expect(await here.getCredential(nowhere)).toMatchObject({ kind: 'retry' })
    here.advance(31_000)
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.told).toEqual([])
  })

  test.for([
    ['servicenow', 'the old token, which stays good', true],
    ['zendesk', 'the new one, since the old dies with it', false],
  ] as const)('while %s refreshes ahead of time others get %s', async ([name, , getsOld]) => {
    await using here = await world(name)
    const first = await here.ask()
    here.advance(1_600_000)
    const held = here.twin.control.hold('received')
    const ahead = here.anotherInstance().getCredential(here.request)
    await held.reached
    const other = here.anotherInstance().getCredential(here.request)
    expect(getsOld ? await other : first).toEqual(first)
    held.release()
    expect(await ahead).not.toEqual(first)
    expect(await other).toEqual(getsOld ? first : await ahead)
    expect(here.calls).toHaveLength(2)
  })

  test('a refresh ahead of time that fails stops nobody while the old token works', async () => {
    await using here = await world('servicenow')
    const first = await here.ask()
    here.advance(1_600_000)
    here.twin.control.fail({ operation: '^token$', times: 3, status: 503 })
    expect(await here.ask()).toEqual(first)
    expect(here.calls).toHaveLength(4)
    here.advance(150_000)
    expect(await here.ask()).not.toEqual(first)
  })

  test('S49: a reuse window is counted from the first use, whatever happens in it', async () => {
    await using here = await world('atlassian')
    const { control } = here.twin
    control.fail({ operation: '^token$', times: 3, connection: 'lose-answer' })
    expect(await here.ask()).toMatchObject({ kind: 'retry' })
    here.advance(300_000)
    control.fail({ operation: '^token$', times: 3, status: 503 })
    expect(await here.ask()).toMatchObject({ kind: 'retry' })
    here.advance(330_000)
    control.clock.advance(660_000)
    expect(await here.ask()).toMatchObject({ kind: 'refused', code: 'reauth_required' })
    expect(here.calls).toHaveLength(6)
    expect(control.families.replayed()).toBe(0)
  })

  test('a claim of which only the answer was lost costs nobody a consent', async () => {
    await using here = await world('zendesk')
    here.credentials.after = (operation) => {
      if (operation !== 'write') return
      delete here.credentials.after
      throw new Error('the answer was lost')
    }
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.calls).toHaveLength(1)
    expect(here.told).toEqual([])
  })

  test('after a person has connected again everything goes on', async () => {
    await using here = await world('zendesk')
    await here.setSecret({ kind: 'refresh_token', refreshToken: 'revoked-long-ago' })
    expect(await here.ask()).toMatchObject({ kind: 'refused' })
    await reconnect(here)
    expect(await here.refusalOf(here.request)).toBeUndefined()
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.document()).toMatchObject({ needsReauth: false, notice: null, intent: null })
  })

  test('a grant that an operator put into the vault by hand counts once the old one is dead', async () => {
    await using here = await world('zendesk')
    await here.ask()
    here.twin.control.families.revoke(refreshTokenOf(here))
    const refreshToken = here.twin.control.families.connect()
    await here.setSecret({ kind: 'refresh_token', refreshToken })
    here.advance(3_600_000)
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.calls).toHaveLength(3)
    expect(here.told).toEqual([])
  })

  test.for([
    ['gets its token after', 'processed'],
    ['hears that the old grant is dead after', 'received'],
  ] as const)(
    'a refresh that %s a person has connected again changes nothing',
    async ([, point]) => {
      await using here = await world('zendesk')
      const { control } = here.twin
      const held = control.hold(point)
      const late = here.anotherInstance().getCredential(here.request)
      await held.reached
      await reconnect(here)
      const old = here.vault.secrets.get('credential-cred-1')?.[0]?.value ?? '{}'
      const { refreshToken } = JSON.parse(old) as { refreshToken: string } // written by the test's own world
      control.families.revoke(refreshToken)
      held.release()
      const now = await here.ask()
      expect(await late).toEqual(now)
      const token = now.kind === 'authorized' ? now.headers['authorization'] : undefined
      expect(control.families.isLiveAccess(token?.slice(7) ?? '')).toBe(true)
      expect(here.told).toEqual([])
      expect(here.document()).toMatchObject({ needsReauth: false })
    },
  )

  test('a token that the vendor does not accept any more is renewed once for all who met it', async () => {
    await using here = await world('servicenow')
    const first = await here.ask()
    const refused = first.kind === 'authorized' ? first.headers : {}
    const instances = Array.from({ length: 10 }, () => here.anotherInstance())
    const answers = await Promise.all(
      instances.map((one) => one.getCredential({ ...here.request, refused })),
    )
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).not.toEqual(first)
    expect(here.calls).toHaveLength(2)
  })

  test('a token that the vendor gives again although it refuses it is asked for once, not once by each', async () => {
    await using here = await world('servicenow')
    const first = await here.ask()
    const refused = first.kind === 'authorized' ? first.headers : {}
    const token = refused['authorization']?.slice(7)
    const body = JSON.stringify({ access_token: token, expires_in: 1_799 })
    here.twin.control.fail({ operation: '^token$', times: 99, status: 200, body })
    const one = here.anotherInstance()
    const asks = Array.from({ length: 10 }, () => one.getCredential({ ...here.request, refused }))
    await Promise.all(asks)
    expect(here.calls).toHaveLength(2)
  })

  test('S51: a version that is gone from the vault is looked for where the secret is now', async () => {
    await using here = await world('servicenow')
    await here.ask()
    const versions = here.vault.secrets.get('credential-cred-1') ?? []
    here.vault.secrets.set('credential-cred-1', versions.slice(0, 1))
    here.advance(120_000)
    expect(await here.anotherInstance().getCredential(here.request)).toMatchObject({
      kind: 'authorized',
    })
  })

  test('S51: a vault that is away delays, and is not asked while the token in memory is good', async () => {
    await using here = await world('servicenow')
    await here.ask()
    here.vault.goAway()
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    const other = here.anotherInstance().getCredential(here.request)
    await expect(other).rejects.toMatchObject({ code: 'vault_unavailable' })
    expect(here.document()).toMatchObject({ needsReauth: false })
  })

  test('a vault that is away when the new pair comes is asked until it takes it', async () => {
    await using here = await world('zendesk')
    let failures = 5
    here.vault.before = (operation) => {
      if (operation === 'set' && (failures -= 1) >= 0) throw new Error('away')
    }
    expect(await here.ask()).toMatchObject({ kind: 'authorized' })
    expect(here.calls).toHaveLength(1)
  })

  test('another instance’s switch-off is noticed within a minute', async () => {
    await using here = await world('servicenow')
    await here.ask()
    const stored = await here.credentials.get(['tenant-1'], 'cred-1')
    if (!stored) throw new Error('it is gone')
    const off = { ...stored.document, enabled: false }
    await here.credentials.write(['tenant-1'], [{ kind: 'upsert', document: off }])
    here.advance(61_000)
    expect(await here.ask()).toMatchObject({ code: 'credential_not_found' })
  })
})

describe('other kinds of credentials', () => {
  test('client credentials share one token', async () => {
    await using here = await world('google')
    await here.setSecret({ kind: 'client_credentials' })
    const instances = Array.from({ length: 5 }, () => here.anotherInstance())
    const answers = await Promise.all(instances.map((one) => one.getCredential(here.request)))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]?.kind).toBe('authorized')
    expect(here.calls).toHaveLength(1)
  })

  test.for([
    [
      { kind: 'basic', username: 'ada', password: 'p:ä' },
      { authorization: `Basic ${Buffer.from('ada:p:ä').toString('base64')}` },
    ],
    [{ kind: 'api_key', header: 'x-sn-apikey', key: 'k' }, { 'x-sn-apikey': 'k' }],
  ] as const)('%o needs no token endpoint', async ([secret, headers]) => {
    await using here = await world('servicenow')
    await here.setSecret(secret)
    expect(await here.ask()).toEqual({ kind: 'authorized', headers })
    const refused = await here.getCredential({ ...here.request, refused: headers })
    expect(refused).toMatchObject({ code: 'reauth_required' })
    expect(here.calls).toEqual([])
  })
})
