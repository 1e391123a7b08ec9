import type { LocalRequest, LocalResponse } from '../http-server.ts'
import type { Families } from './families.ts'
import type { Profile } from './profiles.ts'

type Wanted = Pick<Profile, 'authorizeNeeds' | 'needsPkce'> & { readonly clientId: string }

/** Somebody who signs in and consents at once. */
export function authorize(
  { url }: LocalRequest,
  { authorizeNeeds, needsPkce, clientId }: Wanted,
  families: Families,
): LocalResponse {
  const redirectUri = url.searchParams.get('redirect_uri') ?? ''
  const state = url.searchParams.get('state') ?? ''
  const isGood = url.searchParams.get('client_id') === clientId && state !== ''
  const isProved = !needsPkce || url.searchParams.get('code_challenge_method') === 'S256'
  const isWhole = isGood && isProved && has(url.searchParams, authorizeNeeds)
  if (!isWhole || !URL.canParse(redirectUri)) return { status: 400, body: { error: 'bad request' } }
  const challenge = url.searchParams.get('code_challenge') ?? undefined
  const target = new URL(redirectUri)
  target.searchParams.set('code', families.issueCode({ redirectUri, challenge }))
  target.searchParams.set('state', state)
  return { status: 302, headers: { location: target.href } }
}

/** Whether every parameter stands there that is needed. */
export function has(
  given: URLSearchParams,
  needed: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(needed).every(([name, value]) => given.get(name) === value)
}
