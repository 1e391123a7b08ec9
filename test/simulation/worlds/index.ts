import type { World } from '../world.ts'
import { census } from './census.ts'
import { family } from './family.ts'
import { doors } from './doors.ts'
import { gate } from './gate.ts'
import { inbound } from './inbound.ts'
import { refresh } from './refresh.ts'
import { limits } from './limits.ts'
import { receiver } from './receiver.ts'
import { ring } from './ring.ts'
import { watch } from './watch.ts'
import { webhook } from './webhook.ts'

/** Every world that the simulator knows. */
export const worlds: readonly World[] = [
  inbound,
  ring,
  census,
  family,
  refresh,
  receiver,
  gate,
  watch,
  doors,
  limits,
  webhook,
]
