import type { Provider } from '../../src/credentials/provider.ts'
import { providerOf } from '../../src/credentials/providers.ts'

/** A vendor of the real table, with every endpoint on the connection's own origin: where the twin is. */
export function localProvider(integrationId: string): Provider | undefined {
  const provider = providerOf(integrationId)
  if (!provider) return undefined
  const pathOf = (url: string) => (url.startsWith('/') ? url : decodeURI(new URL(url).pathname))
  const { authorizeUrl, tokenUrl, revocation } = provider
  return {
    ...provider,
    tokenUrl: pathOf(tokenUrl),
    ...(authorizeUrl === undefined ? {} : { authorizeUrl: pathOf(authorizeUrl) }),
    ...(revocation ? { revocation: { ...revocation, url: pathOf(revocation.url) } } : {}),
  }
}
