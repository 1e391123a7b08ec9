import type { Connector } from './connector.ts'
import { servicenow } from './servicenow/index.ts'

/** Every vendor that we can connect. */
export const connectors: Readonly<Record<string, Connector>> = {
  servicenow,
}
