import { AppError } from '../core/errors.ts'
import type { Realtime } from './ports.ts'
import { groupOf } from './rules.ts'

export interface Negotiated {
  readonly url: string
  readonly accessToken: string
}

/**
 * What a device of `userId` needs to connect. The first service configured answers unless the caller names one.
 * Throws `bad_request` for a service that is not configured.
 */
export function negotiate(
  realtimes: readonly Realtime[],
  { userId, service }: { readonly userId: string; readonly service?: string | undefined },
): Promise<Negotiated> {
  const realtime = service ? realtimes.find((one) => one.service === service) : realtimes[0]
  if (!realtime) {
    const names = realtimes.map((one) => one.service).join(', ')
    throw new AppError('bad_request', `service must be one of: ${names}`)
  }
  return realtime.negotiate(userId, [groupOf(userId)])
}
