import type { World } from '../world.ts'
import { inbound } from './inbound.ts'

/** Every world that the simulator knows. */
export const worlds: readonly World[] = [inbound]
