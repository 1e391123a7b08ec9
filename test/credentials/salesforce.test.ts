import { describe, expect, test } from 'vitest'
import { startSalesforce } from '../../infra/local/vendors/salesforce.ts'
import { vendorClient } from '../../src/connectors/client.ts'
import { connectors } from '../../src/connectors/index.ts'
import { boundless, signal } from '../connectors/rig.ts'
import { connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

const QUERY = '/services/data/v65.0/query?q=SELECT+Id+FROM+Case'
const TOKEN = 'POST /services/oauth2/token'

/** An organisation whose token answers tell no lifetime, and instances that call it with what they got there. */
async function world() {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startSalesforce({ count: 3 }))
  const origin = twin.settings['SALESFORCE_URL'] ?? ''
  const client = {
    clientId: twin.settings['SALESFORCE_CLIENT_ID'] ?? '',
    clientSecret: twin.settings['SALESFORCE_CLIENT_SECRET'] ?? '',
  }
  const connection = connectionTo(origin, { integrationId: 'salesforce' })
  const here = await connecting({
    provider: localProvider,
    client,
    connections: [connection],
  })
  const of = { tenantId: 'tenant-1', credentialId: 'cred-1', integrationId: 'salesforce', origin }
  const refreshToken = twin.control.issueRefreshToken()
  await here.register(
    { id: 'cred-1', tenantId: 'tenant-1', integrationId: 'salesforce' },
    { kind: 'refresh_token', refreshToken },
  )
  const instance = () => {
    const access = here.anotherInstance()
    const { finalRefusal } = connectors['salesforce'] ?? {}
    const caller = vendorClient({
      origin,
      finalRefusal,
      quota: boundless,
      fetch,
      now: () => new Date(),
      authorize: (refused) =>
        access.getCredential({
          ...of,
          ...(refused?.kind === 'authorized' ? { refused: refused.headers } : {}),
        }),
    })
    return async () => {
      const answer = await caller.call({ method: 'GET', path: QUERY }, signal)
      return answer.kind === 'answer' ? answer.status : answer.kind
    }
  }
  const owned = starting.move()
  return {
    ...here,
    twin,
    instance,
    refreshes: () => here.calls.length,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe.for([false, true])('Salesforce, whose refresh tokens rotate: %s', (rotates) => {
  test('S47: a session that ended early is renewed once for all who met its 401', async () => {
    await using here = await world()
    here.twin.control.parts.sessions.rotates = rotates
    const instances = Array.from({ length: 5 }, here.instance)
    expect(await Promise.all(instances.map((call) => call()))).toEqual([200, 200, 200, 200, 200])
    expect(here.refreshes()).toBe(1)
    for (let round = 2; round <= 4; round += 1) {
      here.twin.control.expireSessions()
      // Our own limits on the token endpoint are not what is tried here.
      here.advance(10_000)
      const many = instances.flatMap((call) => [call(), call(), call(), call()])
      expect(new Set(await Promise.all(many))).toEqual(new Set([200]))
      expect(here.refreshes()).toBe(round)
    }
    expect(here.told).toEqual([])
  })
})

test('a session is taken to last a quarter of an hour, the shortest that an organisation can choose', async () => {
  await using here = await world()
  const call = here.instance()
  await call()
  here.advance(11 * 60_000)
  expect(await call()).toBe(200)
  expect(here.refreshes()).toBe(1)
  here.advance(90_000)
  expect(await call()).toBe(200)
  expect(here.refreshes()).toBe(2)
  expect(here.twin.control.calls()[TOKEN]).toBe(2)
})

test.for([
  'This session is not valid for use with the REST API',
  'The connected app is not attached to the agent',
])('a 401 that no new token can help is not answered with a refresh: %s', async (message) => {
  await using here = await world()
  const call = here.instance()
  await call()
  const body = JSON.stringify([{ message, errorCode: 'INVALID_SESSION_ID' }])
  here.twin.control.fail({ operation: 'query', times: 3, status: 401, body })
  for (let round = 0; round < 3; round += 1) await call()
  expect(here.refreshes()).toBe(1)
})

test('a grant that a sixth pushed out is told once, and not asked for again', async () => {
  await using here = await world()
  for (let grants = 0; grants < 5; grants += 1) here.twin.control.issueRefreshToken()
  const call = here.instance()
  for (let round = 0; round < 3; round += 1) expect(await call()).toBe('refused')
  expect(here.refreshes()).toBe(1)
  expect(here.told).toEqual(['cred-1 reauth_required'])
})
