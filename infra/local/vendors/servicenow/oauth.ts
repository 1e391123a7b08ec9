import { createHash } from 'node:crypto'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import type { Accounts, Credentials } from './accounts.ts'
import type { Properties } from './properties.ts'
import { ACCESS_TOKEN_SECONDS, type Grantee, type TokenStore } from './tokens.ts'

export interface OAuth {
  readonly tokens: TokenStore
  readonly accounts: Accounts
  readonly credentials: Credentials
  readonly properties: Properties
}

type TokenError = 'invalid_client' | 'invalid_grant' | 'invalid_request' | 'unsupported_grant_type'
type Verdict =
  | { readonly grantee: Grantee; readonly access: 'new' | 'may reuse'; readonly refresh?: string }
  | { readonly error: TokenError }
type Grant = (form: URLSearchParams, oauth: OAuth) => Verdict

const GRANTS: Readonly<Record<string, Grant>> = {
  password: grantPassword,
  refresh_token: grantRefresh,
  client_credentials: grantClient,
  authorization_code: grantCode,
}

/** `POST /oauth_token.do` (facts A1). */
export function answerToken(request: LocalRequest, oauth: OAuth): LocalResponse {
  const form = readForm(request, oauth.properties)
  const grant = form && GRANTS[form.get('grant_type') ?? '']
  if (!form) return refuse('invalid_request', oauth.properties)
  const verdict = grant ? grant(form, oauth) : ({ error: 'unsupported_grant_type' } as const)
  if ('error' in verdict) return refuse(verdict.error, oauth.properties)
  const { grantee, access, refresh } = verdict
  const reuses =
    access === 'may reuse' && oauth.properties.get('twin.oauth.reuse_live_token') === 'true'
  const body = {
    access_token: reuses ? oauth.tokens.prolongAccess(grantee) : oauth.tokens.issueAccess(grantee),
    ...(refresh === undefined ? {} : { refresh_token: refresh }),
    scope: form.get('scope') ?? 'useraccount',
    token_type: 'Bearer',
    expires_in: ACCESS_TOKEN_SECONDS - 1,
  }
  return { status: 200, headers: { 'cache-control': 'no-store' }, body }
}

/** `/oauth_revoke_token.do?token=…`: needs no authentication (facts A1). */
export function answerRevocation(request: LocalRequest, { tokens }: OAuth): LocalResponse {
  const form = new URLSearchParams(request.body.toString())
  tokens.revoke(request.url.searchParams.get('token') ?? form.get('token') ?? '')
  return { status: 200, headers: { 'content-type': 'text/html' }, body: '' }
}

/** `GET /oauth_auth.do`: signs in `userName` and consents at once. */
export function answerAuthorization(
  request: LocalRequest,
  { tokens, credentials, properties }: OAuth,
  userName: string,
): LocalResponse {
  const query = request.url.searchParams
  const redirectUri = query.get('redirect_uri') ?? ''
  const state = query.get('state')
  const challenge = query.get('code_challenge') ?? undefined
  const problem = problemOf(query, { credentials, properties })
  if (problem !== undefined) return page(400, problem)
  const code = tokens.issueCode({
    userName,
    clientId: credentials.clientId,
    redirectUri,
    challenge,
  })
  const target = new URL(redirectUri)
  target.searchParams.set('code', code)
  if (state) target.searchParams.set('state', state)
  return { status: 302, headers: { location: target.href } }
}

function problemOf(
  query: URLSearchParams,
  { credentials, properties }: Pick<OAuth, 'credentials' | 'properties'>,
): string | undefined {
  const needsState = properties.get('glide.oauth.state.parameter.required') === 'true'
  if (query.get('response_type') !== 'code') return 'The response type is not supported'
  if (query.get('client_id') !== credentials.clientId) return 'The client is not known'
  if (!URL.canParse(query.get('redirect_uri') ?? '')) return 'The redirect URI is missing'
  if (needsState && !query.get('state')) return 'The state parameter is missing'
  const method = query.get('code_challenge_method') ?? 'S256'
  return method === 'S256' ? undefined : 'The code challenge method is not supported'
}

function page(status: number, text: string): LocalResponse {
  const body = `<!DOCTYPE html><html><body>${text}</body></html>`
  return { status, headers: { 'content-type': 'text/html;charset=UTF-8' }, body }
}

/** The parameters; nothing for a body that is not a form, or for a token call without any. */
function readForm(request: LocalRequest, properties: Properties): URLSearchParams | undefined {
  if (request.method !== 'POST') return undefined
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/x-www-form-urlencoded\b/.test(type)) return undefined
  const form = new URLSearchParams(request.body.toString())
  const bodyOnly = properties.get('glide.oauth.allow.parameters.in.post.body.only') === 'true'
  if (!bodyOnly) for (const [name, value] of request.url.searchParams) form.append(name, value)
  for (const [name, value] of basicClient(request)) form.append(name, value)
  return form
}

/** Client id and secret as basic auth (RFC 6749 §2.3.1); what is in the form comes first. */
function basicClient({ headers }: LocalRequest): [string, string][] {
  const [, encoded] = /^Basic (.+)$/i.exec(headers['authorization'] ?? '') ?? []
  if (encoded === undefined) return []
  const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString().split(':')
  return [
    ['client_id', decodeURIComponent(id)],
    ['client_secret', decodeURIComponent(secret)],
  ]
}

/** 401 `server_error` / `access_denied` for whatever is wrong, or the standard's words (RFC 6749 §5.2). */
function refuse(error: TokenError, properties: Properties): LocalResponse {
  const isStandard = properties.get('twin.oauth.errors') === 'rfc6749'
  if (!isStandard)
    return { status: 401, body: { error: 'server_error', error_description: 'access_denied' } }
  const status = error === 'invalid_client' ? 401 : 400
  return { status, body: { error, error_description: error.replaceAll('_', ' ') } }
}

function isClient(form: URLSearchParams, { credentials }: OAuth): boolean {
  return (
    form.get('client_id') === credentials.clientId &&
    form.get('client_secret') === credentials.clientSecret
  )
}

function grantPassword(form: URLSearchParams, oauth: OAuth): Verdict {
  if (!isClient(form, oauth)) return { error: 'invalid_client' }
  const account = oauth.accounts.signIn(form.get('username') ?? '', form.get('password') ?? '')
  if (!account) return { error: 'invalid_grant' }
  const grantee = { userName: account.userName, clientId: oauth.credentials.clientId }
  return { grantee, access: 'new', refresh: oauth.tokens.issueRefresh(grantee) }
}

/** The refresh token comes back unchanged (facts A1, Rotation). */
function grantRefresh(form: URLSearchParams, oauth: OAuth): Verdict {
  if (!isClient(form, oauth)) return { error: 'invalid_client' }
  const refresh = form.get('refresh_token') ?? ''
  const grantee = oauth.tokens.granteeOfRefresh(refresh)
  if (!grantee || !oauth.accounts.find(grantee.userName)) return { error: 'invalid_grant' }
  return { grantee, access: 'may reuse', refresh }
}

function grantClient(form: URLSearchParams, oauth: OAuth): Verdict {
  if (!isClient(form, oauth)) return { error: 'invalid_client' }
  const { userName, clientId } = oauth.credentials
  return { grantee: { userName, clientId }, access: 'new' }
}

/** With PKCE (RFC 7636 §4.6) a public client needs no secret, and gets no refresh token. */
function grantCode(form: URLSearchParams, oauth: OAuth): Verdict {
  const isConfidential = isClient(form, oauth)
  const isPublic =
    !form.has('client_secret') && form.get('client_id') === oauth.credentials.clientId
  if (!isConfidential && !isPublic) return { error: 'invalid_client' }
  const code = oauth.tokens.takeCode(form.get('code') ?? '')
  if (!code || code.redirectUri !== form.get('redirect_uri')) return { error: 'invalid_grant' }
  if (code.challenge === undefined && isPublic) return { error: 'invalid_client' }
  const proof = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  if (code.challenge !== undefined && code.challenge !== proof) return { error: 'invalid_grant' }
  const grantee = { userName: code.userName, clientId: code.clientId }
  const refresh = isConfidential ? { refresh: oauth.tokens.issueRefresh(grantee) } : {}
  return { grantee, access: 'new', ...refresh }
}
