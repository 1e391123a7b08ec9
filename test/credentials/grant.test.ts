import { exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { authorizationUrl, codeVerifier } from '../../src/credentials/authorization.ts'
import { refreshRequest, revocationRequest } from '../../src/credentials/grant.ts'
import { endpointOf } from '../../src/credentials/provider.ts'
import { providerOf } from '../../src/credentials/providers.ts'

const at = { now: new Date(), id: 'assertion-1' }
const client = { clientId: 'id:&', clientSecret: 'sé cret' }

function asking(vendor: string) {
  const provider = providerOf(vendor)
  if (!provider) throw new Error(`there is no ${vendor}`)
  return { provider, client, origin: 'https://acme.example' }
}

const grant = { kind: 'refresh_token', refreshToken: 'r+/=' } as const

describe('the request for a token', () => {
  test.for([
    ['servicenow', 'https://acme.example/oauth_token.do'],
    ['salesforce', 'https://acme.example/services/oauth2/token'],
    ['google', 'https://oauth2.googleapis.com/token'],
  ] as const)('of %s is a form with the client in it, at %s', async ([vendor, url]) => {
    const request = await refreshRequest(asking(vendor), grant, at)
    expect(request.url).toBe(url)
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'r+/=',
      client_id: 'id:&',
      client_secret: 'sé cret',
    })
  })

  test('of Notion is JSON with the client in the header, each part encoded (RFC 6749 §2.3.1)', async () => {
    const request = await refreshRequest(asking('notion'), grant, at)
    expect(JSON.parse(request.body)).toEqual({ grant_type: 'refresh_token', refresh_token: 'r+/=' })
    const pair = Buffer.from(request.headers['authorization']?.slice(6) ?? '', 'base64').toString()
    expect(pair).toBe('id%3A%26:s%C3%A9%20cret')
  })

  test('of Zendesk asks for the lifetime', async () => {
    const request = await refreshRequest(asking('zendesk'), grant, at)
    expect(JSON.parse(request.body)).toMatchObject({ expires_in: '1800' })
  })

  test.for([
    ['servicenow', 'RS256', 'id:&'],
    ['salesforce', 'RS256', 'https://acme.example'],
    ['servicenow', 'ES256', 'id:&'],
    ['google', 'RS256', 'https://oauth2.googleapis.com/token'],
  ] as const)('of %s with a key of %s is an assertion for %s (RFC 7523 §3)', async (row) => {
    const [vendor, algorithm, audience] = row
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
    const secret = {
      kind: 'jwt_bearer',
      algorithm,
      keyId: 'key-1',
      privateKey: await exportPKCS8(privateKey),
      subject: 'an-integration-user',
    } as const
    const { body } = await refreshRequest(asking(vendor), secret, at)
    const form = new URLSearchParams(body)
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const { payload, protectedHeader } = await jwtVerify(form.get('assertion') ?? '', publicKey, {
      audience,
      issuer: 'id:&',
      subject: 'an-integration-user',
    })
    expect(protectedHeader).toEqual({ alg: algorithm, kid: 'key-1' })
    expect(payload.jti).toBe('assertion-1')
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(300)
  })
})

test('ServiceNow’s revocation has the token in the body, never in the address', () => {
  const request = revocationRequest(asking('servicenow'), { refreshToken: 'r' })
  expect(request?.url).toBe('https://acme.example/oauth_revoke_token.do')
  expect(new URLSearchParams(request?.body).get('token')).toBe('r')
  expect(revocationRequest(asking('microsoft'), { refreshToken: 'r' })).toBeUndefined()
})

describe('how a vendor is told that a grant has ended', () => {
  const basic = `Basic ${Buffer.from('id%3A%26:s%C3%A9%20cret').toString('base64')}`
  test.for([
    ['zendesk', 'DELETE https://acme.example/api/v2/oauth/tokens/current.json', 'Bearer a', '{}'],
    [
      'github',
      'DELETE https://api.github.com/applications/id%3A%26/grant',
      basic,
      '{"access_token":"a"}',
    ],
    ['slack', 'POST https://slack.com/api/auth.revoke', 'Bearer a', ''],
    ['notion', 'POST https://api.notion.com/v1/oauth/revoke', basic, '{"token":"a"}'],
    [
      'google',
      'POST https://oauth2.googleapis.com/revoke',
      undefined,
      'token=r%2B%2F%3D&token_type_hint=refresh_token&client_id=id%3A%26&client_secret=s%C3%A9+cret',
    ],
    [
      'salesforce',
      'POST https://acme.example/services/oauth2/revoke',
      undefined,
      'token=r%2B%2F%3D&token_type_hint=refresh_token&client_id=id%3A%26&client_secret=s%C3%A9+cret',
    ],
    ['hubspot', 'DELETE https://api.hubapi.com/oauth/v1/refresh-tokens/r%2B%2F%3D', undefined, ''],
  ] as const)('%s: %s', ([vendor, line, authorization, body]) => {
    const request = revocationRequest(asking(vendor), { ...grant, accessToken: 'a' })
    expect(`${request?.method} ${request?.url}`).toBe(line)
    expect(request?.headers['authorization']).toBe(authorization)
    expect(request?.body).toBe(body)
  })

  test('Notion wants to know which version of its API is meant', () => {
    const request = revocationRequest(asking('notion'), { ...grant, accessToken: 'a' })
    expect(request?.headers['notion-version']).toMatch(/^\d{4}-\d{2}-\d{2}$/)
  })
})

describe('where a browser is sent', () => {
  const sent = (vendor: string) => {
    const { provider, origin } = asking(vendor)
    const url = authorizationUrl({
      provider,
      origin,
      clientId: 'id',
      redirectUri: 'https://us.example/api/oauth/callback',
      state: 'a-state',
      verifier: codeVerifier('a-key', 'a-state'),
    })
    return new URL(url ?? '')
  }

  test('the challenge is the S256 of a verifier that only the key gives (RFC 7636 §4)', () => {
    const { searchParams, origin } = sent('servicenow')
    expect(origin).toBe('https://acme.example')
    expect(Object.fromEntries(searchParams)).toEqual({
      response_type: 'code',
      client_id: 'id',
      redirect_uri: 'https://us.example/api/oauth/callback',
      state: 'a-state',
      scope: 'useraccount',
      code_challenge: searchParams.get('code_challenge'),
      code_challenge_method: 'S256',
    })
    expect(searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/)
    expect(codeVerifier('a-key', 'a-state')).toMatch(/^[\w-]{43}$/)
    expect(codeVerifier('another-key', 'a-state')).not.toBe(codeVerifier('a-key', 'a-state'))
  })

  test.for([
    ['google', { access_type: 'offline', prompt: 'consent' }],
    ['atlassian', { audience: 'api.atlassian.com', scope: 'offline_access' }],
    ['notion', { owner: 'user' }],
  ] as const)('%s needs %o', ([vendor, parameters]) => {
    expect(Object.fromEntries(sent(vendor).searchParams)).toMatchObject(parameters)
  })

  test('Slack parts scopes with commas, the others with spaces', () => {
    const scopeOf = (vendor: string) => {
      const { provider, origin } = asking(vendor)
      const url = authorizationUrl({
        provider: { ...provider, scopes: ['a', 'b'] },
        origin,
        clientId: 'id',
        redirectUri: 'https://us.example/api/oauth/callback',
        state: 'a-state',
        verifier: 'v',
      })
      return new URL(url ?? '').searchParams.get('scope')
    }
    expect([scopeOf('slack'), scopeOf('google')]).toEqual(['a,b', 'a b'])
  })

  test.for(['slack', 'github', 'notion', 'hubspot'])('%s knows no PKCE: no challenge', (vendor) => {
    expect(sent(vendor).searchParams.has('code_challenge')).toBe(false)
  })
})

test.for<[string, string, string]>([
  [
    '/oauth_token.do',
    'https://acme.service-now.com',
    'https://acme.service-now.com/oauth_token.do',
  ],
  [
    'https://github.com/login/oauth/access_token',
    'https://api.github.com',
    'https://github.com/login/oauth/access_token',
  ],
  [
    'https://github.com/login/oauth/access_token',
    'http://127.0.0.1:4000',
    'http://127.0.0.1:4000/login/oauth/access_token',
  ],
  [
    'https://github.com/login/oauth/access_token',
    'https://127.0.0.1.example',
    'https://github.com/login/oauth/access_token',
  ],
])('the endpoint %s of a connection to %s is %s', ([endpoint, origin, expected]) => {
  expect(endpointOf(endpoint, origin)).toBe(expected)
})
