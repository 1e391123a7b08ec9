import type { World } from '../world.ts'
import { inbound } from './inbound.ts'
import { webhook } from './webhook.ts'

/** Every world that the simulator knows. */
export const worlds: readonly World[] = [inbound, webhook]
