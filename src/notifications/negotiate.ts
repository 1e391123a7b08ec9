import { AppError } from '../core/errors.ts'
import type { Realtime } from './ports.ts'
import { groupOf } from './rules.ts'
import { adminsOf } from './tell-admins.ts'

export interface Negotiated {
  readonly url: string
  readonly accessToken: string
}

export interface NegotiateRequest {
  readonly userId: string
  readonly service?: string | undefined
  /** The tenant whose administrator the device belongs to. */
  readonly adminOf?: string | undefined
}

/**
 * What a device of `userId` needs to connect. The first service configured answers unless the caller names one.
 * Throws `bad_request` for a service that is not configured.
 */
export function negotiate(
  realtimes: readonly Realtime[],
  { userId, service, adminOf }: NegotiateRequest,
): Promise<Negotiated> {
  const realtime = service ? realtimes.find((one) => one.service === service) : realtimes[0]
  if (!realtime) {
    const names = realtimes.map((one) => one.service).join(', ')
    throw new AppError('bad_request', `service must be one of: ${names}`)
  }
  const groups = adminOf === undefined ? [] : [adminsOf(adminOf)]
  return realtime.negotiate(userId, [groupOf(userId), ...groups])
}
