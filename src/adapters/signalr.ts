import { SignJWT } from 'jose'
import { z } from 'zod'
import type { Realtime } from '../notifications/ports.ts'
import {
  bounded,
  CLIENT_TOKEN_MINUTES,
  readEndpoint,
  unavailable,
  type RealtimeOptions,
} from './realtime-endpoint.ts'

const API_VERSION = '2024-12-01'
const ENTRA_SCOPE = 'https://signalr.azure.com/.default'
const CALL_TOKEN_MINUTES = 5
const MISSING = 404

const tokenShape = z.object({ token: z.string() })

interface Call {
  readonly method: 'HEAD' | 'POST' | 'PUT'
  /** Below the hub. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
  readonly signal?: AbortSignal | undefined
}

interface Answer {
  readonly ok: boolean
  readonly status: number
  readonly text: string
}

/**
 * Azure SignalR in serverless mode by its REST API, which has no SDK for Node
 * (learn.microsoft.com/azure/azure-signalr/signalr-reference-data-plane-rest-api).
 * The message is the invocation `notification(payload)`.
 */
export function createSignalRRealtime(options: RealtimeOptions): Realtime {
  const target = readEndpoint(options)
  const { endpoint, auth } = target
  const hub = encodeURIComponent(options.hub)
  const clientUrl = `${endpoint}/client/?hub=${hub}`

  async function call({ method, path, query, body, signal }: Call): Promise<Answer> {
    const url = `${endpoint}/api/hubs/${hub}${path}`
    const search = new URLSearchParams({ ...query, 'api-version': API_VERSION })
    try {
      const response = await fetch(`${url}?${search.toString()}`, {
        method,
        headers: {
          authorization: `Bearer ${await callToken(url)}`,
          'content-type': 'application/json',
        },
        body: body ? JSON.stringify(body) : null,
        signal: bounded(signal),
      })
      return { ok: response.ok, status: response.status, text: await response.text() }
    } catch (cause) {
      throw unavailable('SignalR', target, { cause })
    }
  }

  async function succeed(request: Call): Promise<string> {
    const { ok, status, text } = await call(request)
    if (ok) return text
    throw unavailable('SignalR', target, { status })
  }

  /** The audience of a call is its URL without the query. */
  async function callToken(url: string): Promise<string | undefined> {
    if ('accessKey' in auth) return sign(auth.accessKey, { aud: url, minutes: CALL_TOKEN_MINUTES })
    return (await auth.credential.getToken(ENTRA_SCOPE))?.token
  }

  async function clientToken(userId: string): Promise<string> {
    const minutes = CLIENT_TOKEN_MINUTES
    if ('accessKey' in auth)
      return sign(auth.accessKey, { aud: clientUrl, minutes, nameid: userId })
    const query = { userId, minutesToExpire: String(minutes) }
    const answer = await succeed({ method: 'POST', path: '/:generateToken', query })
    return tokenShape.parse(JSON.parse(answer)).token
  }

  return {
    service: 'signalr',
    async sendToGroup(group, payload, signal) {
      const path = `/groups/${encodeURIComponent(group)}/:send`
      const body = { target: 'notification', arguments: [payload] }
      await succeed({ method: 'POST', path, body, signal })
    },
    /**
     * A token of this service cannot name groups. A *user* can be put into one before it connects: every connection
     * that it opens within `ttl` joins (Azure/azure-signalr, docs/advanced-topics/group-management.md), so `ttl` is no
     * shorter than the life of the token.
     */
    async negotiate(userId, groups) {
      const accessToken = await clientToken(userId)
      const query = { ttl: String(CLIENT_TOKEN_MINUTES * 60) }
      const user = encodeURIComponent(userId)
      await Promise.all(
        groups.map((group) =>
          succeed({
            method: 'PUT',
            path: `/users/${user}/groups/${encodeURIComponent(group)}`,
            query,
          }),
        ),
      )
      return { url: clientUrl, accessToken }
    },
    // the health operation answers anybody; this one proves the key as well
    async ping(signal) {
      const { ok, status } = await call({ method: 'HEAD', path: '/groups/health-probe', signal })
      if (!ok && status !== MISSING) throw unavailable('SignalR', target, { status })
    },
  }
}

interface TokenContent {
  readonly aud: string
  readonly minutes: number
  /** The user of a client. */
  readonly nameid?: string
}

function sign(accessKey: string, { aud, minutes, nameid }: TokenContent): Promise<string> {
  return new SignJWT(nameid === undefined ? {} : { nameid })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setAudience(aud)
    .setIssuedAt()
    .setExpirationTime(`${minutes}m`)
    .sign(new TextEncoder().encode(accessKey))
}
