import { createHmac } from 'node:crypto'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import type { Sessions } from './sessions.ts'

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
}

export interface OAuth {
  readonly sessions: Sessions
  readonly client: Client
  /** Id of the integration user. */
  readonly user: string
  /** Where the organisation lives now. */
  readonly instanceUrl: () => string
  readonly nowMs: () => number
}

function refuse(error: string, description: string): LocalResponse {
  return { status: 400, body: { error, error_description: description } }
}

/** `POST /services/oauth2/token`: a form in, and no `expires_in` out (facts B1). */
export function answerToken(request: LocalRequest, oauth: OAuth): LocalResponse {
  const form = new URLSearchParams(request.body.toString())
  const isForm = /^application\/x-www-form-urlencoded\b/.test(request.headers['content-type'] ?? '')
  if (!isForm) return refuse('invalid_request', 'the parameters must be a form')
  if (form.get('client_id') !== oauth.client.clientId)
    return refuse('invalid_client_id', 'client identifier invalid')
  if (form.get('client_secret') !== oauth.client.clientSecret)
    return refuse('invalid_client', 'invalid client credentials')
  switch (form.get('grant_type') ?? '') {
    case 'refresh_token':
      return refreshed(form.get('refresh_token') ?? '', oauth)
    case 'client_credentials':
      return ok(oauth.user, oauth)
    default:
      return refuse('unsupported_grant_type', 'grant type not supported')
  }
}

function refreshed(token: string, oauth: OAuth): LocalResponse {
  const user = oauth.sessions.userOfGrant(token)
  if (user === undefined) return refuse('invalid_grant', 'expired access/refresh token')
  const rotated = oauth.sessions.rotates ? { refresh_token: oauth.sessions.rotated(token) } : {}
  return ok(user, oauth, rotated)
}

function ok(user: string, oauth: OAuth, more: object = {}): LocalResponse {
  const instance = oauth.instanceUrl()
  const id = `${instance}/id/00DHs0000000001EAA/${user}`
  const issuedAt = String(oauth.nowMs())
  const signature = createHmac('sha256', oauth.client.clientSecret)
    .update(id + issuedAt)
    .digest('base64')
  const body = {
    access_token: oauth.sessions.open(user, instance),
    ...more,
    instance_url: instance,
    id,
    issued_at: issuedAt,
    signature,
    scope: 'refresh_token api',
    token_type: 'Bearer',
  }
  return { status: 200, headers: { 'cache-control': 'no-store' }, body }
}

/** `POST /services/oauth2/introspect`: the only place that tells when a session ends. */
export function answerIntrospection(request: LocalRequest, oauth: OAuth): LocalResponse {
  const form = new URLSearchParams(request.body.toString())
  const expiresMs = oauth.sessions.expiryOf(form.get('token') ?? '')
  if (expiresMs === undefined) return { status: 200, body: { active: false } }
  const seconds = (ms: number) => Math.floor(ms / 1000)
  return {
    status: 200,
    body: {
      active: true,
      scope: 'refresh_token api',
      client_id: oauth.client.clientId,
      sub: oauth.user,
      token_type: 'access_token',
      exp: seconds(expiresMs),
      iat: seconds(oauth.nowMs()),
      nbf: seconds(oauth.nowMs()),
    },
  }
}

export function answerRevocation(request: LocalRequest, { sessions }: OAuth): LocalResponse {
  sessions.revoke(new URLSearchParams(request.body.toString()).get('token') ?? '')
  return { status: 200, body: '' }
}
