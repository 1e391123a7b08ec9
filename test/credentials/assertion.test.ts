import { exportPKCS8, exportSPKI, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { profiles } from '../../infra/local/oauth/profiles.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

const SUBJECT = 'an-integration-user'
type Vendor = 'servicenow' | 'salesforce'

async function keyPair(algorithm: 'RS256' | 'ES256') {
  const pair = await generateKeyPair(algorithm, { extractable: true })
  return {
    publicKey: await exportSPKI(pair.publicKey),
    privateKey: await exportPKCS8(pair.privateKey),
  }
}

/** A vendor that knows a certificate of ours, and a connection that proves itself with the key to it. */
async function world(vendor: Vendor, algorithm: 'RS256' | 'ES256' = 'RS256') {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile: vendor }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const connection = connectionTo(origin, { integrationId: vendor })
  const connections = [connection]
  const here = await connecting({ provider: localProvider, client: TWIN_CLIENT, connections })
  const { publicKey, privateKey } = await keyPair(algorithm)
  twin.control.trusted.push({ publicKey, algorithm, subject: SUBJECT })
  const request = { tenantId: 'tenant-1', credentialId: 'cred-1', integrationId: vendor, origin }
  const secret = { kind: 'jwt_bearer', privateKey, algorithm, subject: SUBJECT } as const
  const of = { id: 'cred-1', tenantId: 'tenant-1', integrationId: vendor }
  const keep = (change: object = {}) => here.register(of, { ...secret, ...change })
  await keep()
  const owned = starting.move()
  return {
    ...here,
    twin,
    keep,
    ask: () => here.getCredential(request),
    anotherAsks: () => here.anotherInstance().getCredential(request),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe.for([
  ['servicenow', 'RS256'],
  ['servicenow', 'ES256'],
  ['salesforce', 'RS256'],
] as const)('a connection to %s with a key of %s', ([vendor, algorithm]) => {
  test('gets a token for its assertion, and another when that has ended', async () => {
    await using here = await world(vendor, algorithm)
    const tokens = new Set<string>()
    for (let round = 0; round < 3; round += 1) {
      const answer = await here.ask()
      const token = answer.kind === 'authorized' ? (answer.headers['authorization'] ?? '') : ''
      expect(here.twin.control.families.isLiveAccess(token.slice(7))).toBe(true)
      tokens.add(token)
      here.advance(7_200_000)
      here.twin.control.clock.advance(7_200_000)
    }
    expect(tokens.size).toBe(3)
    expect(here.calls).toHaveLength(3)
    expect(here.credentials.all()).toMatchObject([{ refreshCount: 3, needsReauth: false }])
  })

  test('S47: shares one token among many instances', async () => {
    await using here = await world(vendor, algorithm)
    const answers = await Promise.all(Array.from({ length: 8 }, here.anotherAsks))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]?.kind).toBe('authorized')
    expect(here.calls).toHaveLength(1)
  })

  test.for([
    ['a key that the vendor does not know', {}],
    ['another audience', { audience: 'https://login.elsewhere.example' }],
    ['another subject', { subject: 'somebody-else' }],
  ] as const)('gets none with %s: a person is asked once', async ([what, change]) => {
    await using here = await world(vendor, algorithm)
    const other = what.startsWith('a key') ? await keyPair(algorithm) : {}
    const { privateKey } = { privateKey: undefined, ...other }
    await here.keep({ ...change, ...(privateKey ? { privateKey } : {}) })
    for (let round = 0; round < 3; round += 1) {
      expect(await here.ask()).toMatchObject({ code: 'reauth_required' })
      here.advance(3_600_000)
    }
    expect(here.calls).toHaveLength(1)
    expect(here.told).toEqual(['cred-1 reauth_required'])
  })

  const { skewSeconds } = profiles[vendor].assertion
  test.for([
    ['right', 0, true],
    ['two minutes behind the vendor’s', -120_000, true],
    // An assertion is good for three minutes, and for the vendor's tolerance after that.
    ['so far behind that its assertion has ended', -(180 + skewSeconds + 5) * 1_000, false],
  ] as const)('whose clock is %s: %s', async ([, skewMs, works]) => {
    await using here = await world(vendor, algorithm)
    here.twin.control.clock.advance(-skewMs)
    expect((await here.ask()).kind).toBe(works ? 'authorized' : 'refused')
  })
})

test('our clock may be two minutes ahead of Salesforce, which takes five minutes at most', async () => {
  await using here = await world('salesforce')
  here.advance(115_000)
  expect((await here.ask()).kind).toBe('authorized')
})

test('ServiceNow takes an assertion once: every try has a name of its own', async () => {
  await using here = await world('servicenow')
  here.twin.control.fail({ operation: '^token$', times: 2, connection: 'lose-answer' })
  expect((await here.ask()).kind).toBe('authorized')
  expect(here.calls).toHaveLength(3)
  expect(here.twin.control.assertions.size).toBe(3)
})

test('a key that cannot be used is the operator’s trouble, and nobody is called', async () => {
  await using here = await world('salesforce')
  await here.keep({
    privateKey: '-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----',
  })
  expect(await here.ask()).toMatchObject({ kind: 'retry' })
  expect(here.told).toEqual(['cred-1 client_refused'])
  expect(here.calls).toEqual([])
})
