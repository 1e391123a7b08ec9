import type { Connector, FieldRule, Stream, StreamConfig } from '../connector.ts'
import { describe } from './describe.ts'
import { objectStream } from './object.ts'
import { NAME } from './query.ts'

function texts(names: Readonly<Record<string, string>>): FieldRule[] {
  return Object.entries(names).map(([local, external]) => ({ local, external, type: 'text' }))
}

/** What is read and written of the objects that everybody has. Any other needs its fields configured. */
const presets: Readonly<Record<string, FieldRule[]>> = {
  Case: [
    ...texts({
      shortDescription: 'Subject',
      description: 'Description',
      status: 'Status',
      priorityName: 'Priority',
      contactType: 'Origin',
      contactId: 'ContactId',
      accountId: 'AccountId',
      ownerId: 'OwnerId',
    }),
    { local: 'caseNumber', external: 'CaseNumber', type: 'text', readOnly: true },
    { local: 'closed', external: 'IsClosed', type: 'boolean', readOnly: true },
    { local: 'caseClosedAt', external: 'ClosedDate', type: 'instant', readOnly: true },
  ],
  Contact: texts({
    firstName: 'FirstName',
    lastName: 'LastName',
    email: 'Email',
    phone: 'Phone',
    mobilePhone: 'MobilePhone',
    title: 'Title',
    accountId: 'AccountId',
  }),
  Account: texts({
    name: 'Name',
    phone: 'Phone',
    website: 'Website',
    industry: 'Industry',
    type: 'Type',
  }),
}

/** The objects that hold what we call by another name. */
const objects: Readonly<Record<string, string>> = {
  incident: 'Case',
  contact: 'Contact',
  account: 'Account',
}

/** The external id field that an administrator adds for us, unless a connection names another. */
const MARKER_FIELD = 'Syncline_Id__c'

function configure({ entityType, object, fields, markerField }: StreamConfig): Stream | undefined {
  const name = object ?? objects[entityType] ?? entityType
  const known = fields ?? presets[name]
  if (known === undefined) return undefined
  const marker = markerField ?? MARKER_FIELD
  const names = [name, marker, ...known.map(({ external }) => external)]
  if (!names.every((one) => NAME.test(one)) || name.includes('.')) return undefined
  return objectStream(entityType, {
    name,
    fields: known,
    markerField: marker === 'none' ? undefined : marker,
  })
}

/** Salesforce: SOQL in the order of changes, sObject collections for writes. */
export const salesforce: Connector = {
  integrationId: 'salesforce',
  // Only hosts that serve the API: on the others (force.com, sites) customers run code of their own.
  instanceDomains: ['salesforce.com', 'salesforce.mil'],
  finalRefusal: /not valid for (?:use with )?(?:the )?REST API|not attached to (?:the )?agent/i,
  webhookSchemes: ['salesforce', 'salesforce-outbound-message'],
  configure,
  discover: (client, { entityType, object }, signal) => {
    const name = object ?? objects[entityType] ?? entityType
    return NAME.test(name) ? describe(client, name, signal) : undefined
  },
  streams: Object.fromEntries(
    Object.keys(objects).flatMap((entityType) => {
      const stream = configure({ entityType })
      return stream ? [[entityType, stream]] : []
    }),
  ),
}
