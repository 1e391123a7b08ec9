import type { Answer } from './answer.ts'
import type { Call } from './call.ts'
import { account, containers, databases, partitionKeyRanges } from './definition-handlers.ts'
import { documents, partitionKeyDelete } from './document-handlers.ts'
import { badRequest } from './errors.ts'
import { offers } from './offers.ts'

const HANDLERS: Readonly<Record<string, (call: Call) => Answer>> = {
  account,
  dbs: databases,
  colls: containers,
  docs: documents,
  pkranges: partitionKeyRanges,
  offers,
  partitionkeydelete: partitionKeyDelete,
}

/** Does what the request asks for. Throws CosmosError for a refusal. */
export function handle(call: Call): Answer {
  const handler = HANDLERS[call.route.type]
  if (!handler) throw badRequest(`Resources of type ${call.route.type} are not emulated.`)
  return handler(call)
}
