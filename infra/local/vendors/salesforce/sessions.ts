import { randomBytes } from 'node:crypto'

/** A session lasts two hours after its last use (facts B1, Expiry). */
const SESSION_MS = 2 * 3_600_000
/** A sixth grant of one user and app ends the oldest (facts B1, Limit). */
const MOST_GRANTS = 5

interface Session {
  readonly user: string
  readonly instance: string
  expiresMs: number
}

/** Grants and sessions of the organisation, on its clock. */
export class Sessions {
  /** Whether a refresh answers with a new refresh token and ends the old one. */
  rotates = false
  readonly #now: () => number
  readonly #sessions = new Map<string, Session>()
  #grants: { readonly token: string; readonly user: string }[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  /** What a person's consent gives an app. */
  grant(user: string): string {
    const token = `5Aep${randomBytes(30).toString('base64url')}`
    this.#grants.push({ token, user })
    const own = this.#grants.filter((grant) => grant.user === user)
    if (own.length > MOST_GRANTS) this.revoke(own[0]?.token ?? '')
    return token
  }

  userOfGrant(token: string): string | undefined {
    return this.#grants.find((grant) => grant.token === token)?.user
  }

  rotated(token: string): string {
    const user = this.userOfGrant(token) ?? ''
    this.revoke(token)
    return this.grant(user)
  }

  open(user: string, instance: string): string {
    const token = `00D!${randomBytes(36).toString('base64url')}`
    this.#sessions.set(token, { user, instance, expiresMs: this.#now() + SESSION_MS })
    return token
  }

  /** The user of a living session on that instance; its use prolongs it. */
  use(token: string, instance: string): string | undefined {
    const session = this.#sessions.get(token)
    if (!session || session.expiresMs <= this.#now() || session.instance !== instance)
      return undefined
    session.expiresMs = this.#now() + SESSION_MS
    return session.user
  }

  expiryOf(token: string): number | undefined {
    const session = this.#sessions.get(token)
    return session && session.expiresMs > this.#now() ? session.expiresMs : undefined
  }

  revoke(token: string): void {
    this.#grants = this.#grants.filter((grant) => grant.token !== token)
    this.#sessions.delete(token)
  }

  expireAll(): void {
    this.#sessions.clear()
  }

  revokeAll(): void {
    this.#sessions.clear()
    this.#grants = []
  }
}
