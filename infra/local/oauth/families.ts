import { randomBytes } from 'node:crypto'
import type { Profile } from './profiles.ts'

interface Refresh {
  readonly family: number
  usedAt?: number
}
interface Access {
  readonly family: number
  readonly expiresAt: number
}
interface Code {
  readonly redirectUri: string
  readonly challenge: string | undefined
}

export interface Issued {
  readonly accessToken: string
  readonly refreshToken: string
  /** Whether the refresh token is another than the one that was used. */
  readonly isNew: boolean
}

/**
 * Tokens of an authorization server. Everything that came of one consent is a family; a refresh token that is used again
 * after its leeway ends the whole family (RFC 9700 §4.14.2).
 */
export class Families {
  readonly #profile: () => Profile
  readonly #now: () => number
  readonly #refresh = new Map<string, Refresh>()
  readonly #access = new Map<string, Access>()
  readonly #codes = new Map<string, Code>()
  readonly #ended = new Map<number, 'replayed' | 'revoked'>()
  #count = 0

  constructor(profile: () => Profile, now: () => number) {
    this.#profile = profile
    this.#now = now
  }

  /** A consent: the first refresh token of a family. */
  connect(): string {
    this.#count += 1
    return this.#addRefresh(this.#count)
  }

  /** Undefined for a token that is unknown, ended, or used up; the last ends its family. */
  use(token: string): Issued | undefined {
    const found = this.#refresh.get(token)
    if (!found || this.#ended.has(found.family)) return undefined
    const { rotation, leewayMs, killsOldAccess } = this.#profile()
    if (found.usedAt !== undefined && this.#now() - found.usedAt > leewayMs) {
      this.#ended.set(found.family, 'replayed')
      return undefined
    }
    if (killsOldAccess) this.#endAccess(found.family)
    const accessToken = this.#addAccess(found.family)
    if (rotation === 'never') return { accessToken, refreshToken: token, isNew: false }
    found.usedAt ??= this.#now()
    return { accessToken, refreshToken: this.#addRefresh(found.family), isNew: true }
  }

  issueCode(code: Code): string {
    const text = `code-${randomBytes(16).toString('hex')}`
    this.#codes.set(text, code)
    return text
  }

  takeCode(text: string): Code | undefined {
    const code = this.#codes.get(text)
    this.#codes.delete(text)
    return code
  }

  /** Ends the family of a refresh or access token (RFC 7009 §2.1). */
  revoke(token: string): void {
    const family = this.#refresh.get(token)?.family ?? this.#access.get(token)?.family
    if (family !== undefined) this.#ended.set(family, 'revoked')
  }

  isLiveRefresh(token: string): boolean {
    const found = this.#refresh.get(token)
    return found !== undefined && !this.#ended.has(found.family) && found.usedAt === undefined
  }

  /** How many refresh tokens can be used. */
  liveRefreshes(): number {
    return [...this.#refresh.keys()].filter((token) => this.isLiveRefresh(token)).length
  }

  isLiveAccess(token: string): boolean {
    const found = this.#access.get(token)
    return found !== undefined && !this.#ended.has(found.family) && found.expiresAt > this.#now()
  }

  expireAccess(): void {
    this.#access.clear()
  }

  /** Families that ended because a used token came again. */
  replayed(): number {
    return [...this.#ended.values()].filter((why) => why === 'replayed').length
  }

  #addRefresh(family: number): string {
    const token = `refresh-${randomBytes(24).toString('hex')}`
    this.#refresh.set(token, { family })
    return token
  }

  #addAccess(family: number): string {
    const token = `access-${randomBytes(24).toString('hex')}`
    const expiresAt = this.#now() + this.#profile().lifetimeSeconds * 1_000
    this.#access.set(token, { family, expiresAt })
    return token
  }

  #endAccess(family: number): void {
    for (const [token, access] of this.#access) {
      if (access.family === family) this.#access.delete(token)
    }
  }
}
