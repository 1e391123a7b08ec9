import type { Connector, FieldRule, Stream, StreamConfig } from '../connector.ts'
import { fetchChanges } from './changes.ts'
import { discover } from './fields.ts'
import { fetchIds } from './lookup.ts'
import { issuePush } from './push.ts'

const OVERLAP_MS = 2 * 60_000
const REPOSITORY = /^[\w-][\w.-]{0,99}\/[\w-][\w.-]{0,99}$/

const fields: FieldRule[] = [
  { local: 'shortDescription', external: 'title', type: 'text', required: true },
  { local: 'description', external: 'body', type: 'text' },
  { local: 'issueState', external: 'state', type: 'text' },
  { local: 'issueClosedAt', external: 'closed_at', type: 'instant', readOnly: true },
]

/** The issues of a repository, named `owner/name`. */
function configure({ entityType, object, fields: given }: StreamConfig): Stream | undefined {
  if (object === undefined || !REPOSITORY.test(object)) return undefined
  return {
    entityType,
    mapping: { entityType, fields: [...(given ?? fields)] },
    overlapMs: OVERLAP_MS,
    fetchPage: (client, request, signal) =>
      fetchChanges(client, { ...request, repository: object }, signal),
    fetchIds: (client, request, signal) =>
      fetchIds(client, { repository: object, after: request.after }, signal),
    push: issuePush(object),
  }
}

/** GitHub: the issues of repositories. There is none without a name of one. */
export const github: Connector = {
  integrationId: 'github',
  webhookSchemes: ['github'],
  configure,
  discover: (client, { object }, signal) =>
    object !== undefined && REPOSITORY.test(object) ? discover(client, object, signal) : undefined,
  streams: {},
}
