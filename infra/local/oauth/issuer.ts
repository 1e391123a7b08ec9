import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Control, controlCommand } from '../control.ts'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp, type HttpServer, type LocalResponse } from '../http-server.ts'
import { createKeyRing, type KeyRing, type SigningAlgorithm } from './key-ring.ts'

export interface IssuerOptions extends EmulatorOptions {
  /** Default RS256, as Entra signs. */
  readonly algorithm?: SigningAlgorithm
}

/** Whose token, and for how long. */
export interface MintRequest {
  readonly subject: string
  readonly tenantId: string
  readonly roles: readonly string[]
  /** Default `syncline`. */
  readonly audience?: string | undefined
  /** Default one hour. A negative number makes a token that has expired already. */
  readonly expiresInSeconds?: number | undefined
  /** Further claims, such as `userSysId`; they cannot replace those that the issuer sets. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

export interface Minted {
  readonly token: string
  readonly expiresAt: string
}

const AUDIENCE = 'syncline'
const HOUR_SECONDS = 60 * 60

const mintShape = z.strictObject({
  subject: z.string().min(1),
  tenantId: z.string().min(1),
  roles: z.array(z.string().min(1)),
  audience: z.string().min(1).optional(),
  expiresInSeconds: z.int().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
})
const rotateShape = z.strictObject({ forgetFormer: z.boolean().default(false) })

/** The side channel through which tokens are minted and keys rotated: `commands/mint`, `commands/rotate`. */
export class IssuerControl extends Control {
  readonly #keys: KeyRing
  readonly #issuer: () => string

  constructor(keys: KeyRing, issuer: () => string) {
    super(() => ({ issuer: issuer(), keys: keys.keySet().keys }))
    this.#keys = keys
    this.#issuer = issuer
  }

  /** A signed JWT (RFC 7519) with the claims `tenantId`, `sub` and `roles`. */
  async mint(request: MintRequest): Promise<Minted> {
    const issuedAt = Math.floor(this.clock.now() / 1000)
    const expiresAt = issuedAt + (request.expiresInSeconds ?? HOUR_SECONDS)
    const token = await this.#keys.sign({
      ...request.claims,
      iss: this.#issuer(),
      sub: request.subject,
      aud: request.audience ?? AUDIENCE,
      iat: issuedAt,
      nbf: Math.min(issuedAt, expiresAt),
      exp: expiresAt,
      jti: randomUUID(),
      tenantId: request.tenantId,
      roles: request.roles,
    })
    return { token, expiresAt: new Date(expiresAt * 1000).toISOString() }
  }

  /** Signs with a new key; the former stay published unless they are to be forgotten. */
  async rotateKeys(options: { readonly forgetFormer?: boolean } = {}): Promise<void> {
    await this.#keys.rotate(options)
  }

  override commands() {
    return {
      mint: controlCommand(mintShape, (request) => this.mint(request)),
      rotate: controlCommand(rotateShape, (options) => this.rotateKeys(options)),
    }
  }
}

/**
 * An issuer of bearer tokens for people: OpenID Connect discovery (OpenID Connect Discovery 1.0 §4) and the key set
 * (RFC 7517 §5). Tokens come through the control channel only: no production client can mint one.
 */
export async function startIssuer(options: IssuerOptions = {}): Promise<Emulator<IssuerControl>> {
  const algorithm = options.algorithm ?? 'RS256'
  const keys = await createKeyRing(algorithm, () => control.clock.now())
  const control = new IssuerControl(keys, () => server.origin)
  const server: HttpServer = await serveHttp({
    ...options,
    control,
    operation: ({ method, url }) => `${method} ${url.pathname}`,
    handle: ({ method, url }): LocalResponse => {
      switch (`${method} ${url.pathname}`) {
        case 'GET /.well-known/openid-configuration':
          return { status: 200, body: discovery(server.origin, algorithm) }
        case 'GET /jwks':
          return { status: 200, headers: { 'cache-control': 'no-store' }, body: keys.keySet() }
        case 'POST /token':
          return {
            status: 400,
            body: {
              error: 'unauthorized_client',
              error_description: 'tokens of this issuer are minted through its control channel',
            },
          }
        default:
          return { status: 404, body: { error: 'not_found' } }
      }
    },
  })
  return {
    name: 'oauth',
    settings: { AUTH_ISSUERS: server.origin, AUTH_AUDIENCE: AUDIENCE },
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

function discovery(issuer: string, algorithm: SigningAlgorithm): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [algorithm],
  }
}
