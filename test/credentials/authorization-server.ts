import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { close, listen } from '../../infra/local/http-server.ts'

export const CLIENT = { clientId: 'syncline', clientSecret: 'a-secret-of-the-test' } as const
export const REDIRECT_URI = 'http://127.0.0.1:7071/api/oauth/callback'

/** A real OAuth 2.0 server: rotation of refresh tokens, reuse detection, PKCE required. */
export async function startAuthorizationServer() {
  const server = createServer()
  const port = await listen(server, 0)
  const origin = `http://127.0.0.1:${port}`
  const provider = new Provider(origin, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [REDIRECT_URI],
        // Plain http is for machines of one's own.
        application_type: 'native',
      },
    ],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ['a-key-of-the-test'] },
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access'],
    rotateRefreshToken: true,
    issueRefreshToken: () => Promise.resolve(true),
    ttl: {
      AccessToken: 1_800,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 3_600,
      Interaction: 600,
    },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  })
  let tokenCalls = 0
  let revokedGrants = 0
  provider.on('grant.success', () => {
    tokenCalls += 1
  })
  provider.on('grant.revoked', () => {
    revokedGrants += 1
  })
  const handle = provider.callback()
  server.on('request', (request, response) => void handle(request, response))
  return {
    origin,
    tokenCalls: () => tokenCalls,
    revokedGrants: () => revokedGrants,
    [Symbol.asyncDispose]: () => close(server),
  }
}

/** A person's browser: follows the pages, signs in, consents. Gives back where it was sent with the code. */
export async function consent(url: string): Promise<URL> {
  const cookies = new Map<string, string>()
  const visit = async (at: string, form?: URLSearchParams): Promise<URL> => {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(form ? { method: 'POST', body: form } : {}),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      const [name = '', ...value] = pair.split('=')
      cookies.set(name, value.join('='))
    }
    const location = response.headers.get('location')
    if (location !== null) {
      const target = new URL(location, at)
      return target.href.startsWith(REDIRECT_URI) ? target : visit(target.href)
    }
    const page = await response.text()
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
    const action = /action="([^"]+)"/.exec(page)?.[1]
    if (prompt === undefined || action === undefined) {
      throw new Error(`${at} answered ${response.status}: ${page.slice(0, 500)}`)
    }
    const answers = new URLSearchParams({ prompt, login: 'a-person', password: 'any' })
    return visit(new URL(action, at).href, answers)
  }
  return visit(url)
}
