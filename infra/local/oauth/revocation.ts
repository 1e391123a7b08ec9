import type { LocalRequest, LocalResponse } from '../http-server.ts'
import type { Families } from './families.ts'
import type { Profile } from './profiles.ts'

export function isRevocation({ method, url }: LocalRequest, { revocation }: Profile): boolean {
  if (!revocation || method !== revocation.method) return false
  const { path } = revocation
  return path.endsWith('/') ? url.pathname.startsWith(path) : url.pathname === path
}

/** Ends what came of one consent, asked in the way that the vendor wants; refuses anything else. */
export function answerRevocation(
  request: LocalRequest,
  of: { readonly profile: Profile; readonly families: Families; readonly fields: URLSearchParams },
  isClient: (proof: 'body' | 'basic') => boolean,
): LocalResponse {
  const { revocation } = of.profile
  if (!revocation) return { status: 404, body: {} }
  const { path, takes, proof, field = 'token' } = revocation
  const inBody = field === null ? undefined : (of.fields.get(field) ?? undefined)
  const strays = ['token', 'access_token'].filter((name) => name !== field && of.fields.has(name))
  if (strays.length > 0) return { status: 400, body: { error: 'invalid_request' } }
  const bearer = /^Bearer (.+)$/.exec(request.headers['authorization'] ?? '')?.[1]
  const token =
    (proof === 'token in header' ? bearer : undefined) ??
    (path.endsWith('/')
      ? decodeURIComponent(request.url.pathname.slice(path.length))
      : undefined) ??
    inBody ??
    ''
  if (proof === 'client in body' && !isClient('body')) return { status: 401, body: {} }
  if (proof === 'client in header' && !isClient('basic')) return { status: 401, body: {} }
  const isKnown =
    takes === 'access' ? of.families.isLiveAccess(token) : of.families.isLiveRefresh(token)
  if (!isKnown) return { status: takes === 'access' ? 401 : 400, body: { error: 'invalid_token' } }
  of.families.revoke(token)
  return { status: 200, body: {} }
}
