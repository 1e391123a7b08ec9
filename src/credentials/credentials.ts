import type { Caller } from '../core/caller.ts'
import { credentialAccess, type CredentialAccess } from './access.ts'
import {
  completeAuthorization,
  startAuthorization,
  type Authorized,
  type AuthorizationStart,
  type Begun,
  type Callback,
} from './connect.ts'
import { disconnect, type Ending } from './disconnect.ts'
import {
  refreshForDevice,
  type DeviceCaller,
  type DevicePorts,
  type DeviceRequest,
  type DeviceToken,
} from './device.ts'
import { defaultOptions, type CredentialOptions } from './ports.ts'
import { registerCredential } from './keep.ts'
import type { Secret } from './secret.ts'
import {
  isSessionToken,
  listSessions,
  revokeSession,
  sessionOf,
  type SessionView,
} from './session.ts'
import { refreshExpiring, type RefreshAudit, type SweepLimits, type SweepPorts } from './sweep.ts'

/** Everything that others may ask of credentials. */
export interface Credentials extends CredentialAccess {
  refreshExpiring(limits: SweepLimits): Promise<RefreshAudit>
  startAuthorization(start: AuthorizationStart): Promise<Begun>
  completeAuthorization(callback: Callback): Promise<Authorized>
  disconnect(of: Ending): Promise<void>
  register(of: Parameters<typeof registerCredential>[1], secret: Secret): Promise<void>
  refreshForDevice(request: DeviceRequest): Promise<DeviceToken>
  /** Who holds a bearer token: a phone's session of ours, or what `verify` says. Throws `unauthenticated`. */
  deviceCaller(token: string, verify: (token: string) => Promise<Caller>): Promise<DeviceCaller>
  listSessions(of: { tenantId: string; userSysId: string }): Promise<readonly SessionView[]>
  revokeSession(of: { tenantId: string; userSysId: string; id: string }): Promise<void>
}

export type AllPorts = DevicePorts & SweepPorts

export function openCredentials(
  ports: AllPorts,
  options: Pick<CredentialOptions, 'owner'> & Partial<CredentialOptions>,
): Credentials {
  const all: CredentialOptions = { ...defaultOptions, ...options }
  const access = credentialAccess(ports, all)
  return {
    ...access,
    refreshExpiring: (limits) => refreshExpiring(ports, access, limits),
    startAuthorization: (start) => startAuthorization(ports, start),
    completeAuthorization: (callback) => completeAuthorization(ports, callback),
    disconnect: (of) => disconnect(ports, all, of),
    register: (of, secret) => registerCredential(ports, of, secret),
    refreshForDevice: (request) => refreshForDevice(ports, access, request),
    deviceCaller: async (token, verify) => {
      if (!isSessionToken(token)) return verify(token)
      const { tenantId, userSysId, origin } = await sessionOf(ports, token)
      return { tenantId, userId: userSysId, origin }
    },
    listSessions: (of) => listSessions(ports, of),
    revokeSession: (of) => revokeSession(ports, of),
  }
}
