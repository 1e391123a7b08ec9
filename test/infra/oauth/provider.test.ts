import { describe, expect, test } from 'vitest'
import { serveControl } from '../../../infra/local/control-server.ts'
import { profiles } from '../../../infra/local/oauth/profiles.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../../infra/local/oauth/provider.ts'

const client = {
  client_id: TWIN_CLIENT.clientId,
  client_secret: TWIN_CLIENT.clientSecret,
  // Zendesk wants to know.
  expires_in: '1800',
}

async function world(profile: keyof typeof profiles) {
  const twin = await startOAuthProvider({ profile })
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const refresh = async (token: string) => {
    const response = await fetch(`${origin}${profiles[profile].tokenPath}`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, ...client }),
    })
    const body = (await response.json()) as Record<string, unknown> // every profile answers an object
    return { status: response.status, body }
  }
  const me = async (token: unknown) => {
    const headers = { authorization: `Bearer ${String(token)}` }
    return (await fetch(`${origin}/api/me`, { headers })).status
  }
  return { twin, origin, refresh, me, [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose]() }
}

describe('the twin of an authorization server', () => {
  test('keeps the refresh token where the vendor does', async () => {
    await using here = await world('servicenow')
    const token = here.twin.control.families.connect()
    const answers = [await here.refresh(token), await here.refresh(token)]
    expect(answers.map(({ body }) => body['refresh_token'])).toEqual([token, token])
    expect(answers[0]?.body['expires_in']).toBe(1_799)
  })

  test('ends the family when a used token comes again, and the old access token where the vendor does', async () => {
    await using here = await world('zendesk')
    const token = here.twin.control.families.connect()
    const first = await here.refresh(token)
    expect(await here.me(first.body['access_token'])).toBe(200)
    const second = await here.refresh(String(first.body['refresh_token']))
    expect(await here.me(first.body['access_token'])).toBe(401)
    expect(await here.refresh(token)).toEqual(profiles.zendesk.deadGrant)
    expect(await here.me(second.body['access_token'])).toBe(401)
    expect(here.twin.control.families.replayed()).toBe(1)
  })

  test('forgives a second use within the leeway, by its clock', async () => {
    await using here = await world('atlassian')
    const { families, clock } = here.twin.control
    const token = families.connect()
    const use = async () => families.use(token)?.isNew
    expect([await use(), await use()]).toEqual([true, true])
    clock.advance(profiles.atlassian.leewayMs + 1)
    expect(await use()).toBeUndefined()
    expect(families.replayed()).toBe(1)
  })

  test('ends access tokens when their time has come', async () => {
    await using here = await world('github')
    const { body } = await here.refresh(here.twin.control.families.connect())
    expect(await here.me(body['access_token'])).toBe(200)
    here.twin.control.clock.advance(28_800_001)
    expect(await here.me(body['access_token'])).toBe(401)
  })

  test('words refusals as the vendor does', async () => {
    await using here = await world('github')
    expect(await here.refresh('unknown')).toEqual({
      status: 200,
      body: { error: 'bad_refresh_token' },
    })
  })

  test('holds a call where a test wants it', async () => {
    await using here = await world('zendesk')
    const { families } = here.twin.control
    const token = families.connect()
    const hold = here.twin.control.hold('processed')
    const answer = here.refresh(token)
    await hold.reached
    expect(families.isLiveRefresh(token)).toBe(false)
    hold.release()
    expect((await answer).status).toBe(200)
  })

  test('obeys the control channel of another process', async () => {
    await using here = await world('servicenow')
    await using control = await serveControl([here.twin])
    const command = async (name: string, body: object) => {
      const url = `${control.origin}/oauth-provider/commands/${name}`
      const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
      return { status: response.status, body: (await response.json()) as { answer: unknown } } // as documented
    }
    const { answer } = (await command('connect', {})).body
    const { refreshToken } = answer as { refreshToken: string } // what `connect` answers
    expect(here.twin.control.families.isLiveRefresh(refreshToken)).toBe(true)
    await command('revoke', { token: refreshToken })
    expect(here.twin.control.families.isLiveRefresh(refreshToken)).toBe(false)
    expect((await command('play', { profile: 'nobody' })).status).toBe(400)
    await command('play', { profile: 'slack' })
    expect(here.twin.control.profile()).toBe(profiles.slack)
  })
})
