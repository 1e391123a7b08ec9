import type { ProfileName } from '../../infra/local/oauth/profiles.ts'
import { startOAuthProvider, TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import { connecting, connectionTo } from './connecting.ts'
import { localProvider } from './local-provider.ts'

/** A vendor's twin and a connection to it whose access token has ended. */
export async function world(
  profile: ProfileName,
  client: { clientId: string; clientSecret: string } = TWIN_CLIENT,
) {
  await using starting = new AsyncDisposableStack()
  const twin = starting.use(await startOAuthProvider({ profile }))
  const origin = twin.settings['OAUTH_PROVIDER_URL'] ?? ''
  const connection = connectionTo(origin, { integrationId: profile })
  const here = await connecting({ provider: localProvider, client, connections: [connection] })
  const request = { tenantId: 'tenant-1', credentialId: 'cred-1', integrationId: profile, origin }
  const credential = {
    id: 'cred-1',
    tenantId: 'tenant-1',
    integrationId: profile,
    type: 'oauth2',
    expiryTime: null,
    enabled: true,
    needsReauth: false,
    refreshCount: 0,
  } as const
  await here.credentials.write(['tenant-1'], [{ kind: 'create', document: credential }])
  const setSecret = (secret: object) => here.vault.set('credential-cred-1', JSON.stringify(secret))
  await setSecret({ kind: 'refresh_token', refreshToken: twin.control.families.connect() })
  const owned = starting.move()
  return {
    ...here,
    twin,
    request,
    setSecret,
    ask: () => here.getCredential(request),
    document: () => here.credentials.all()[0],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** A person consents anew, in a browser. */
export async function reconnect(here: Awaited<ReturnType<typeof world>>): Promise<void> {
  const { url, proof } = await here.startAuthorization({
    caller: { subject: 'a', tenantId: 'tenant-1', roles: ['admin'], userId: 'a' },
    connectionId: 'conn-1',
    redirectUri: 'http://127.0.0.1:7071/api/oauth/callback',
  })
  const sent = await fetch(url, { redirect: 'manual' })
  const back = new URL(sent.headers.get('location') ?? '').searchParams
  await here.completeAuthorization({
    state: back.get('state') ?? '',
    code: back.get('code') ?? '',
    proof,
  })
}

export function refreshTokenOf({ vault }: Awaited<ReturnType<typeof world>>): string {
  const text = vault.secrets.get('credential-cred-1')?.at(-1)?.value ?? '{}'
  const value = JSON.parse(text) as { refreshToken: string } // written by the test's own world
  return value.refreshToken
}
