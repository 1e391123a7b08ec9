import type { Connector, Stream, StreamConfig } from '../connector.ts'
import { discover } from './dictionary.ts'
import { presets, tables } from './presets.ts'
import { tableStream } from './table.ts'

const NAME = /^[a-z][a-z0-9_]{0,79}$/

function tableOf({ entityType, object }: Pick<StreamConfig, 'entityType' | 'object'>): string {
  return (
    object ?? (Object.hasOwn(tables, entityType) ? tables[entityType] : undefined) ?? entityType
  )
}

/** Any table, if its name is one and its fields are configured or known. */
function configure(config: StreamConfig): Stream | undefined {
  const { entityType, fields, markerField, deletions = 'log' } = config
  const name = tableOf(config)
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined
  const known = fields ?? preset?.fields
  if (!NAME.test(name) || known === undefined) return undefined
  return tableStream(entityType, {
    name,
    fields: known,
    markerField: markerField ?? preset?.markerField,
    hasDeleteLog: deletions === 'log',
  })
}

/** ServiceNow: the Table API in the order of changes, the Batch API for writes. */
export const servicenow: Connector = {
  integrationId: 'servicenow',
  webhookSchemes: ['servicenow', 'servicenow-business-rule'],
  configure,
  discover: (client, config, signal) => {
    const name = tableOf(config)
    return NAME.test(name) ? discover(client, name, signal) : undefined
  },
  streams: Object.fromEntries(
    [...Object.keys(presets), ...Object.keys(tables)].flatMap((entityType) => {
      const stream = configure({ entityType })
      return stream ? [[entityType, stream]] : []
    }),
  ),
}
