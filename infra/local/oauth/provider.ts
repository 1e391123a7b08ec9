import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Control, controlCommand } from '../control.ts'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp, type LocalRequest, type LocalResponse } from '../http-server.ts'
import { isGoodAssertion, type TrustedKey } from './assertion.ts'
import { authorize, has } from './authorize.ts'
import { Families, type Issued } from './families.ts'
import { profiles, type Profile, type ProfileName, type Refusal } from './profiles.ts'
import { answerRevocation, isRevocation } from './revocation.ts'

export interface OAuthProviderOptions extends EmulatorOptions {
  /** Whose behaviour. Default servicenow. */
  readonly profile?: ProfileName
}

/** A call as it came, for those who search it for what should not be in it. */
export interface SeenRequest {
  readonly endpoint: 'authorize' | 'token' | 'revoke' | 'other'
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where a call of the token endpoint can be held: before its work, or after it and before its answer. */
export type HoldPoint = 'received' | 'processed'

interface Hold {
  readonly point: HoldPoint
  readonly reached: PromiseWithResolvers<void>
  readonly released: PromiseWithResolvers<void>
}

export const TWIN_CLIENT = { clientId: 'twin-client', clientSecret: 'twin-client-secret' } as const

const trustedShape = z.strictObject({
  publicKey: z.string().startsWith('-----BEGIN PUBLIC KEY'),
  algorithm: z.string().min(1),
  subject: z.string().min(1),
})

/** What the authorization server's own people can do. */
export class OAuthProviderControl extends Control {
  readonly families: Families
  readonly requests: SeenRequest[] = []
  /** Keys whose assertions are taken, and the assertions that were. */
  readonly trusted: TrustedKey[] = []
  readonly assertions = new Set<string>()
  readonly #holds: Hold[] = []
  #profile: Profile

  constructor(profile: ProfileName) {
    super(() => ({ replayedFamilies: this.families.replayed(), requests: this.requests.length }))
    this.#profile = profiles[profile]
    this.families = new Families(
      () => this.#profile,
      () => this.clock.now(),
    )
  }

  profile(): Profile {
    return this.#profile
  }

  play(profile: ProfileName): void {
    this.#profile = profiles[profile]
  }

  /** Holds the next call of the token endpoint at a point until it is released. */
  hold(point: HoldPoint): { readonly reached: Promise<void>; readonly release: () => void } {
    const hold = {
      point,
      reached: Promise.withResolvers<void>(),
      released: Promise.withResolvers<void>(),
    }
    this.#holds.push(hold)
    return { reached: hold.reached.promise, release: () => hold.released.resolve() }
  }

  /** For the emulator: passes a point, or waits there. */
  async pass(point: HoldPoint): Promise<void> {
    const index = this.#holds.findIndex((hold) => hold.point === point)
    const [hold] = index === -1 ? [] : this.#holds.splice(index, 1)
    hold?.reached.resolve()
    await hold?.released.promise
  }

  override commands() {
    return {
      connect: controlCommand(z.unknown(), () => ({ refreshToken: this.families.connect() })),
      expire: controlCommand(z.unknown(), () => this.families.expireAccess()),
      revoke: controlCommand(z.strictObject({ token: z.string() }), ({ token }) =>
        this.families.revoke(token),
      ),
      trust: controlCommand(trustedShape, (key) => void this.trusted.push(key)),
      play: controlCommand(
        z.strictObject({ profile: z.literal(Object.keys(profiles) as ProfileName[]) }), // its own keys
        ({ profile }) => this.play(profile),
      ),
    }
  }
}

/**
 * An authorization server with the quirks of the vendor that it plays: rotation, leeway, reuse detection, lifetimes and
 * the wording of its refusals. `GET /api/me` is a resource that its access tokens open.
 */
export async function startOAuthProvider(
  options: OAuthProviderOptions = {},
): Promise<Emulator<OAuthProviderControl>> {
  const control = new OAuthProviderControl(options.profile ?? 'servicenow')
  const server = await serveHttp({
    ...options,
    control,
    operation: (request) => endpointOf(request, control.profile()),
    handle: async (request) => {
      const endpoint = endpointOf(request, control.profile())
      const { method, url, headers, body } = request
      control.requests.push({ endpoint, method, url: url.href, headers, body: body.toString() })
      const { clientId } = TWIN_CLIENT
      switch (endpoint) {
        case 'token': {
          await control.pass('received')
          const answer = inForm(request, control, await answerToken(request, control))
          await control.pass('processed')
          return answer
        }
        case 'authorize':
          return authorize(request, { ...control.profile(), clientId }, control.families)
        case 'revoke':
          return revoke(request, control)
        case 'other':
          return answerResource(request, control)
      }
    },
  })
  return {
    name: 'oauth-provider',
    settings: {
      OAUTH_PROVIDER_URL: server.origin,
      OAUTH_PROVIDER_CLIENT_ID: TWIN_CLIENT.clientId,
      OAUTH_PROVIDER_CLIENT_SECRET: TWIN_CLIENT.clientSecret,
    },
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

function endpointOf(request: LocalRequest, profile: Profile): SeenRequest['endpoint'] {
  const { method, url } = request
  const { authorizePath, tokenPath } = profile
  if (method === 'POST' && url.pathname === tokenPath) return 'token'
  if (isRevocation(request, profile)) return 'revoke'
  return method === 'GET' && url.pathname === authorizePath ? 'authorize' : 'other'
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

async function answerToken(
  request: LocalRequest,
  control: OAuthProviderControl,
): Promise<LocalResponse> {
  const profile = control.profile()
  const fields = isEncoded(request, profile) ? readFields(request) : undefined
  if (!fields) return { status: 400, body: { error: 'invalid_request' } }
  if (!isClient(request, fields, profile)) return profile.badClient
  if (!has(fields, profile.tokenNeeds)) return { status: 400, body: { error: 'invalid_request' } }
  switch (fields.get('grant_type') ?? '') {
    case 'refresh_token': {
      const issued = control.families.use(fields.get('refresh_token') ?? '')
      return issued ? tokens(issued, profile) : profile.deadGrant
    }
    case 'authorization_code':
      return exchange(fields, control)
    case 'client_credentials':
      return accessOnly(control)
    case JWT_BEARER: {
      const isGood = await isGoodAssertion({
        assertion: fields.get('assertion') ?? '',
        profile,
        clientId: TWIN_CLIENT.clientId,
        origin: request.url.origin,
        now: new Date(control.clock.now()),
        keys: control.trusted,
        used: control.assertions,
      })
      return isGood ? accessOnly(control) : profile.deadGrant
    }
    default:
      return { status: 400, body: { error: 'unsupported_grant_type' } }
  }
}

/** No refresh token belongs to a grant that can be had again at any time. */
function accessOnly(control: OAuthProviderControl): Refusal {
  const profile = control.profile()
  const issued = control.families.use(control.families.connect())
  if (!issued) return profile.deadGrant
  return tokens({ ...issued, isNew: false }, { ...profile, refreshTokenInAnswer: 'when it is new' })
}

function revoke(request: LocalRequest, control: OAuthProviderControl): LocalResponse {
  const profile = control.profile()
  const fields = readFields(request)
  return answerRevocation(request, { profile, families: control.families, fields }, (client) =>
    isClient(request, fields, { ...profile, client }),
  )
}

function inForm(
  { headers }: LocalRequest,
  control: OAuthProviderControl,
  answer: LocalResponse,
): LocalResponse {
  const asksForJson = /\bapplication\/json\b/.test(headers['accept'] ?? '')
  if (asksForJson || control.profile().formByDefault !== true) return answer
  const fields = new URLSearchParams()
  for (const [name, value] of Object.entries(answer.body ?? {})) fields.set(name, String(value))
  return { status: answer.status, body: fields.toString() }
}

function isEncoded({ headers }: LocalRequest, { encoding }: Profile): boolean {
  const isJson = /^application\/json\b/.test(headers['content-type'] ?? '')
  return encoding === 'either' || isJson === (encoding === 'json')
}

function readFields({ body, headers }: LocalRequest): URLSearchParams {
  const text = body.toString()
  if (!/^application\/json\b/.test(headers['content-type'] ?? '')) return new URLSearchParams(text)
  const parsed = z.record(z.string(), z.string()).safeParse(text === '' ? {} : JSON.parse(text))
  return new URLSearchParams(parsed.data ?? {})
}

function isClient(
  { headers }: LocalRequest,
  fields: URLSearchParams,
  { client }: Profile,
): boolean {
  const { clientId, clientSecret } = TWIN_CLIENT
  if (client === 'basic') {
    const pair = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
    return headers['authorization'] === `Basic ${pair}`
  }
  return fields.get('client_id') === clientId && fields.get('client_secret') === clientSecret
}

function tokens({ accessToken, refreshToken, isNew }: Issued, profile: Profile): Refusal {
  const { expiresIn, refreshTokenInAnswer } = profile
  return {
    status: 200,
    body: {
      access_token: accessToken,
      token_type: 'Bearer',
      ...profile.more,
      ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
      ...(isNew || refreshTokenInAnswer === 'always' ? { refresh_token: refreshToken } : {}),
    },
  }
}

/** RFC 7636 §4.6. */
function exchange(fields: URLSearchParams, control: OAuthProviderControl): Refusal {
  const { families } = control
  const profile = control.profile()
  const code = families.takeCode(fields.get('code') ?? '')
  const verifier = fields.get('code_verifier') ?? ''
  const proof = createHash('sha256').update(verifier).digest('base64url')
  const isProved = code && (code.challenge === undefined || code.challenge === proof)
  if (!isProved || code.redirectUri !== fields.get('redirect_uri')) return profile.deadGrant
  const refreshToken = families.connect()
  const issued = families.use(refreshToken)
  if (!issued) return profile.deadGrant
  return tokens({ ...issued, isNew: true }, profile)
}

function answerResource(
  { method, url, headers }: LocalRequest,
  { families }: OAuthProviderControl,
): LocalResponse {
  if (method !== 'GET' || url.pathname !== '/api/me') return { status: 404, body: {} }
  const token = /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1] ?? ''
  return families.isLiveAccess(token)
    ? { status: 200, body: { name: 'me' } }
    : { status: 401, body: { error: 'invalid_token' } }
}
