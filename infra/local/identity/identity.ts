import { randomBytes } from 'node:crypto'
import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { Control } from '../control.ts'
import { serveHttp, type LocalRequest, type LocalResponse } from '../http-server.ts'
import { createKeyRing, type TokenVerdict } from '../oauth/key-ring.ts'

/** Checks a bearer token for the service that is called `audience`. */
export type AccessTokenVerifier = (token: string, audience: string) => Promise<TokenVerdict>

export interface IdentityOptions extends EmulatorOptions {
  /** User-assigned identities of the app by client id. Absent: any client id is one. */
  readonly clientIds?: readonly string[]
  /** Seconds for which a token is good. Default one day, as Entra gives managed identities. */
  readonly lifetimeSeconds?: number
  /** Default LOCAL_TENANT_ID. Key Vault names it in its challenge. */
  readonly tenantId?: string
}

export interface IdentityEmulator extends Emulator {
  readonly verify: AccessTokenVerifier
  /** A token as an app with this identity would get it, without the way over HTTP. */
  accessToken(resource: string, clientId?: string): Promise<string>
}

export const LOCAL_TENANT_ID = '5f1c0a1e-0000-4000-8000-000000000001'
/** The client id of the system-assigned identity. */
export const SYSTEM_CLIENT_ID = '0c0ffee0-0000-4000-8000-000000000001'
const PATH = '/msi/token'
const API_VERSION = '2019-08-01'
const DAY_SECONDS = 24 * 60 * 60

/**
 * The managed identity endpoint of App Service and Functions: `GET {IDENTITY_ENDPOINT}?resource&api-version=2019-08-01`
 * with the header X-IDENTITY-HEADER (Microsoft Learn, "App Service managed identity", REST endpoint reference).
 * The public keys are at `/discovery/keys`.
 */
export async function startIdentity(options: IdentityOptions = {}): Promise<IdentityEmulator> {
  const tenantId = options.tenantId ?? LOCAL_TENANT_ID
  const lifetimeSeconds = options.lifetimeSeconds ?? DAY_SECONDS
  const control = new Control(() => ({ tenantId, lifetimeSeconds, keys: keys.keySet().keys }))
  const keys = await createKeyRing('ES256', () => control.clock.now())
  const header = randomBytes(16).toString('hex').toUpperCase()

  const issue = async (resource: string, clientId = SYSTEM_CLIENT_ID) => {
    const issuedAt = Math.floor(control.clock.now() / 1000)
    const expiresOn = issuedAt + lifetimeSeconds
    const token = await keys.sign({
      aud: resource,
      iss: `https://sts.windows.net/${tenantId}/`,
      iat: issuedAt,
      nbf: issuedAt,
      exp: expiresOn,
      appid: clientId,
      idtyp: 'app',
      oid: clientId,
      sub: clientId,
      tid: tenantId,
    })
    return { token, expiresOn, clientId }
  }

  const answerToken = async ({ url, headers }: LocalRequest): Promise<LocalResponse> => {
    if (headers['x-identity-header'] !== header)
      return refuse(401, 'the header X-IDENTITY-HEADER is missing or not that of this app')
    if (url.searchParams.get('api-version') !== API_VERSION)
      return refuse(400, `api-version must be ${API_VERSION}`)
    const resource = url.searchParams.get('resource')
    if (!resource) return refuse(400, 'resource is required')
    const asked = url.searchParams.get('client_id') ?? undefined
    if (asked !== undefined && options.clientIds && !options.clientIds.includes(asked))
      return refuse(
        400,
        'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
      )
    const { token, expiresOn, clientId } = await issue(resource, asked)
    return {
      status: 200,
      body: {
        access_token: token,
        client_id: clientId,
        expires_on: String(expiresOn),
        not_before: String(expiresOn - lifetimeSeconds),
        resource,
        token_type: 'Bearer',
      },
    }
  }

  const server = await serveHttp({
    ...options,
    control,
    operation: ({ method, url }) => `${method} ${url.pathname}`,
    handle: (request) => {
      switch (`${request.method} ${request.url.pathname}`) {
        case `GET ${PATH}`:
          return answerToken(request)
        case 'GET /discovery/keys':
          return { status: 200, body: keys.keySet() }
        default:
          return refuse(404, `nothing is at ${request.method} ${request.url.pathname}`)
      }
    },
  })
  return {
    name: 'identity',
    settings: { IDENTITY_ENDPOINT: `${server.origin}${PATH}`, IDENTITY_HEADER: header },
    control,
    verify: (token, audience) => keys.verify(token, audience),
    accessToken: async (resource, clientId) => (await issue(resource, clientId)).token,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}

function refuse(status: number, message: string): LocalResponse {
  return { status, body: { statusCode: status, message } }
}
