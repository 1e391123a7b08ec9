import type { Rotation } from '../../src/credentials/provider.ts'

interface Grant {
  readonly family: number
  /** When it was used first; it is live while it was not. */
  usedAt?: number
}

/** An authorization server in memory: families of refresh tokens, rotation, reuse detection (RFC 9700 §4.14.2). */
export function memoryProvider(rotation: Rotation, now: () => number) {
  const grants = new Map<string, Grant>()
  const access = new Set<string>()
  const revoked = new Set<number>()
  let count = 0
  const counts = { calls: 0, tokens: 0, replays: 0 }
  const connect = (): string => {
    const token = `refresh-${(count += 1)}`
    grants.set(token, { family: count })
    return token
  }
  const child = ({ family }: Grant): string => {
    const token = `refresh-${(count += 1)}`
    grants.set(token, { family })
    return token
  }
  const dead = { status: 400, body: { error: 'invalid_grant' } }
  /** Whether a token that was used before is taken once more. */
  const forgives = (usedAt: number) =>
    rotation.kind === 'reuse_window' && now() - usedAt <= rotation.windowMs
  return {
    counts,
    revoked,
    connect,
    isLive: (token: string) => {
      const grant = grants.get(token)
      return grant !== undefined && !revoked.has(grant.family) && grant.usedAt === undefined
    },
    knows: (token: string) => access.has(token),
    refresh: (token: string): { status: number; body: object } => {
      counts.calls += 1
      const grant = grants.get(token)
      if (!grant || revoked.has(grant.family)) return dead
      if (grant.usedAt !== undefined && !forgives(grant.usedAt)) {
        counts.replays += 1
        revoked.add(grant.family)
        return dead
      }
      const accessToken = `access-${(count += 1)}`
      access.add(accessToken)
      counts.tokens += 1
      const body = { access_token: accessToken, token_type: 'Bearer', expires_in: 1_800 }
      if (rotation.kind === 'none') return { status: 200, body }
      grant.usedAt ??= now()
      return { status: 200, body: { ...body, refresh_token: child(grant) } }
    },
  }
}
