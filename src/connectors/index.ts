import type { Connector } from './connector.ts'
import { github } from './github/index.ts'
import { salesforce } from './salesforce/index.ts'
import { servicenow } from './servicenow/index.ts'

/** Every vendor that we can connect. */
export const connectors: Readonly<Record<string, Connector>> = {
  servicenow,
  salesforce,
  github,
}
