import { randomBytes } from 'node:crypto'

/** Seconds (facts A1): per OAuth entity, these are the vendor's defaults. */
export const ACCESS_TOKEN_SECONDS = 1800
const REFRESH_TOKEN_SECONDS = 8_640_000
const CODE_SECONDS = 60

interface Token {
  readonly value: string
  readonly userName: string
  readonly clientId: string
  expiresMs: number
}
export interface Code {
  readonly userName: string
  readonly clientId: string
  readonly redirectUri: string
  /** The S256 challenge; without it the client must be confidential. */
  readonly challenge: string | undefined
}
export interface Grantee {
  readonly userName: string
  readonly clientId: string
}

/** Tokens and codes of the instance, on its clock. */
export class TokenStore {
  readonly #now: () => number
  readonly #access = new Map<string, Token>()
  readonly #refresh = new Map<string, Token>()
  readonly #codes = new Map<string, Code & { readonly expiresMs: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The user whom a living access token speaks for. */
  userOf(accessToken: string): string | undefined {
    return this.#living(this.#access, accessToken)?.userName
  }

  issueAccess(grantee: Grantee): string {
    return this.#issue(this.#access, grantee, ACCESS_TOKEN_SECONDS).value
  }

  /** The same access token with a later expiry while it lives, else a new one. */
  prolongAccess(grantee: Grantee): string {
    const living = this.#livingOf(this.#access, grantee)
    if (!living) return this.issueAccess(grantee)
    living.expiresMs = this.#now() + ACCESS_TOKEN_SECONDS * 1000
    return living.value
  }

  /** One refresh token for a user and client: a further sign-in extends its life (facts A1, Rotation). */
  issueRefresh(grantee: Grantee): string {
    const living = this.#livingOf(this.#refresh, grantee)
    if (!living) return this.#issue(this.#refresh, grantee, REFRESH_TOKEN_SECONDS).value
    living.expiresMs = this.#now() + REFRESH_TOKEN_SECONDS * 1000
    return living.value
  }

  granteeOfRefresh(refreshToken: string): Grantee | undefined {
    return this.#living(this.#refresh, refreshToken)
  }

  issueCode(code: Code): string {
    const value = randomBytes(32).toString('base64url')
    this.#codes.set(value, { ...code, expiresMs: this.#now() + CODE_SECONDS * 1000 })
    return value
  }

  /** A code is good once. */
  takeCode(value: string): Code | undefined {
    const code = this.#codes.get(value)
    this.#codes.delete(value)
    return code && code.expiresMs > this.#now() ? code : undefined
  }

  revoke(token: string): void {
    this.#access.delete(token)
    this.#refresh.delete(token)
  }

  expireAccess(): void {
    this.#access.clear()
  }

  revokeAll(): void {
    this.#access.clear()
    this.#refresh.clear()
  }

  #issue(tokens: Map<string, Token>, { userName, clientId }: Grantee, seconds: number): Token {
    const token = {
      value: randomBytes(43).toString('base64url'),
      userName,
      clientId,
      expiresMs: this.#now() + seconds * 1000,
    }
    tokens.set(token.value, token)
    return token
  }

  #living(tokens: Map<string, Token>, value: string): Token | undefined {
    const token = tokens.get(value)
    if (token && token.expiresMs > this.#now()) return token
    tokens.delete(value)
    return undefined
  }

  #livingOf(tokens: Map<string, Token>, { userName, clientId }: Grantee): Token | undefined {
    for (const token of tokens.values()) {
      if (token.userName !== userName || token.clientId !== clientId) continue
      const living = this.#living(tokens, token.value)
      if (living) return living
    }
    return undefined
  }
}
