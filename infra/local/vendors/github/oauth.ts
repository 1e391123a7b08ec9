import { randomBytes } from 'node:crypto'
import type { LocalRequest, LocalResponse } from '../../http-server.ts'

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
}

const ACCESS_SECONDS = 28_800
const REFRESH_SECONDS = 15_897_600

interface Token {
  readonly value: string
  readonly endsMs: number
}

/** Tokens of an app's user: refresh tokens are used once (facts E, OAuth). */
export class Tokens {
  readonly #now: () => number
  readonly #access = new Map<string, Token>()
  readonly #refresh = new Map<string, Token>()

  constructor(now: () => number) {
    this.#now = now
  }

  issueRefresh(): string {
    return this.#issue(this.#refresh, 'ghr_', REFRESH_SECONDS)
  }

  issueAccess(): string {
    return this.#issue(this.#access, 'ghu_', ACCESS_SECONDS)
  }

  isAccess(token: string): boolean {
    return (this.#access.get(token)?.endsMs ?? 0) > this.#now()
  }

  takeRefresh(token: string): boolean {
    const isGood = (this.#refresh.get(token)?.endsMs ?? 0) > this.#now()
    this.#refresh.delete(token)
    return isGood
  }

  expireAccess(): void {
    this.#access.clear()
  }

  revokeAll(): void {
    this.#access.clear()
    this.#refresh.clear()
  }

  #issue(tokens: Map<string, Token>, prefix: string, seconds: number): string {
    const value = prefix + randomBytes(27).toString('base64url')
    tokens.set(value, { value, endsMs: this.#now() + seconds * 1000 })
    return value
  }
}

/** `POST /login/oauth/access_token`: errors come with 200, and everything as a form unless JSON is asked for. */
export function answerToken(request: LocalRequest, tokens: Tokens, client: Client): LocalResponse {
  const form = new URLSearchParams(request.body.toString())
  const isJson = /\bjson\b/.test(request.headers['accept'] ?? '')
  const fields = tokenFields(form, tokens, client)
  return isJson
    ? { status: 200, body: fields }
    : {
        status: 200,
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: new URLSearchParams(
          Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]),
        ).toString(),
      }
}

function tokenFields(
  form: URLSearchParams,
  tokens: Tokens,
  client: Client,
): Record<string, string | number> {
  const isClient =
    form.get('client_id') === client.clientId && form.get('client_secret') === client.clientSecret
  if (!isClient)
    return problem(
      'incorrect_client_credentials',
      'The client_id and/or client_secret passed are incorrect.',
    )
  if (form.get('grant_type') !== 'refresh_token')
    return problem('unsupported_grant_type', 'The grant type is not supported.')
  if (!tokens.takeRefresh(form.get('refresh_token') ?? ''))
    return problem('bad_refresh_token', 'The refresh token passed is incorrect or expired.')
  return {
    access_token: tokens.issueAccess(),
    expires_in: ACCESS_SECONDS,
    refresh_token: tokens.issueRefresh(),
    refresh_token_expires_in: REFRESH_SECONDS,
    scope: '',
    token_type: 'bearer',
  }
}

function problem(error: string, description: string) {
  return { error, error_description: description, error_uri: 'https://docs.github.com' }
}
