import { authorized, foreign, missing, reauth, WAITS_FOR_PERSON } from './answer.ts'
import { isForeign, isUsable, type Wish } from './credential.ts'
import { MINUTE_MS } from '../core/time.ts'
import { Look, wishOf } from './look.ts'
import type {
  CredentialAnswer,
  CredentialOptions,
  CredentialPorts,
  CredentialRefusal,
  CredentialRequest,
} from './ports.ts'
import type { VersionedSecret } from './secret.ts'

export interface CredentialAccess {
  /** The headers with which a call of this connection proves who we are. */
  getCredential(request: CredentialRequest): Promise<CredentialAnswer>
  /** Why no call may be made for a credential now; undefined when it may be tried. Asks nobody but the store. */
  refusalOf(request: CredentialRequest): Promise<CredentialRefusal | undefined>
}

/** Pairs kept in the process; the one that was not asked for longest goes first. */
const CACHE_SIZE = 1_000
/** What other instances did to a credential is noticed after so long, or when a vendor refuses the token. */
const FRESH_MS = MINUTE_MS

interface Known {
  readonly pair: VersionedSecret
  readonly checkedAt: Date
}

/** A look that others may share. */
interface Running {
  readonly answer: Promise<CredentialAnswer>
  readonly refused: string | undefined
}

/**
 * Credentials of connections. All instances share one refresh: the pair lies in the vault, the document says which version
 * counts. Within a process callers share one look as well, and a look is good for a minute while the token lives.
 */
export function credentialAccess(
  ports: CredentialPorts,
  options: CredentialOptions,
): CredentialAccess {
  const known = new Map<string, Known>()
  const running = new Map<string, Running>()
  const keep = (key: string, pair: VersionedSecret) => {
    known.delete(key)
    known.set(key, { pair, checkedAt: ports.clock() })
    const oldest = known.keys().next().value
    if (known.size > CACHE_SIZE && oldest !== undefined) known.delete(oldest)
  }
  const fromMemory = (key: string, wish: Wish): CredentialAnswer | undefined => {
    const found = known.get(key)
    const now = ports.clock()
    if (!found || now.getTime() - found.checkedAt.getTime() > FRESH_MS) return undefined
    return isUsable(found.pair.secret, now, wish) ? authorized(found.pair.secret) : undefined
  }
  const look = (request: CredentialRequest, key: string) => {
    const memory = known.get(key)?.pair
    return new Look({ ports, options, request, memory }).run().then(({ answer, pair }) => {
      if (pair) keep(key, pair)
      else known.delete(key)
      return answer
    })
  }
  return {
    getCredential: async (request) => {
      const key = keyOf(request)
      const wish = wishOf(request)
      for (;;) {
        const answer = fromMemory(key, wish)
        if (answer) return answer
        const others = running.get(key)
        if (!others) break
        const shared = await others.answer
        // Who was refused with the very token that the others got needs a look of its own, unless they were refused too: a
        // vendor that gives the same token again would be asked by one after the other.
        if (others.refused === wish.refused || !isRefused(shared, request)) return shared
      }
      const answer = look(request, key).finally(() => running.delete(key))
      running.set(key, { answer, refused: wish.refused })
      return answer
    },
    refusalOf: async ({ tenantId, credentialId, origin }) => {
      const stored = await ports.credentials.get([tenantId], credentialId)
      if (!stored?.document.enabled) return missing
      if (isForeign(stored.document, origin)) return foreign
      return stored.document.needsReauth ? reauth(WAITS_FOR_PERSON) : undefined
    },
  }
}

function keyOf({ tenantId, credentialId, origin }: CredentialRequest): string {
  return JSON.stringify([tenantId, credentialId, origin])
}

function isRefused(answer: CredentialAnswer, { refused }: CredentialRequest): boolean {
  return (
    answer.kind === 'authorized' &&
    refused !== undefined &&
    answer.headers['authorization'] === refused['authorization']
  )
}
