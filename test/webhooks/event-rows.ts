import { moreRows } from './event-rows-more.ts'

export type EventRow = readonly [
  scheme: string,
  title: string,
  headers: Readonly<Record<string, string>>,
  body: unknown,
  told: readonly string[],
]

/** Scheme, headers, body, and for each element `operation entity externalId version`, or its kind and type. */
export const rows: readonly EventRow[] = [
  [
    'salesforce',
    'an update',
    {},
    {
      eventId: 'e',
      eventType: 'Account.updated',
      sobjectType: 'Account',
      recordId: '001',
      operation: 'update',
    },
    ['update Account 001'],
  ],
  [
    'salesforce',
    'the type alone',
    {},
    { eventId: 'e', type: 'Account.deleted', id: '001' },
    ['delete Account 001'],
  ],
  [
    'salesforce',
    'many',
    {},
    {
      events: [
        { eventType: 'Lead.created', sobjectType: 'Lead', recordId: '1', operation: 'insert' },
        7,
      ],
    },
    ['create Lead 1', 'malformed an element is no object'],
  ],
  [
    'salesforce',
    'a change event',
    {},
    {
      ChangeEventHeader: {
        entityName: 'Lead',
        recordIds: ['00Q1'],
        changeType: 'UNDELETE',
        commitNumber: 7,
      },
    },
    ['update Lead 00Q1 7'],
  ],
  [
    'salesforce',
    'a gap of many',
    {},
    { ChangeEventHeader: { entityName: 'Lead', recordIds: ['00Q*'], changeType: 'GAP_UPDATE' } },
    ['resync Lead.GAP_UPDATE'],
  ],
  ['salesforce', 'a word of nothing', {}, { hello: 1 }, ['unknown unknown']],
  [
    'salesforce-outbound-message',
    'two notifications',
    {},
    '<e:Envelope><e:Body><notifications><Notification><Id>04l1</Id><sObject xsi:type="sf:Opportunity"><sf:Id>006A</sf:Id><sf:SystemModstamp>2026-01-01T00:00:00Z</sf:SystemModstamp></sObject></Notification><Notification><Id>04l2</Id><sObject xsi:type="sf:Opportunity"><sf:Name>x</sf:Name></sObject></Notification></notifications></e:Body></e:Envelope>',
    [
      'update Opportunity 006A 2026-01-01T00:00:00Z',
      'malformed Opportunity.outbound-message names no record',
    ],
  ],
  [
    'salesforce-outbound-message',
    'a document type',
    {},
    '<!DOCTYPE x [<!ENTITY a "b">]><Notification/>',
    ['malformed no outbound message'],
  ],
  [
    'salesforce-marketing-cloud',
    'engagement',
    {},
    [{ eventCategoryType: 'EngagementEvents.EmailOpen' }],
    ['notice EngagementEvents.EmailOpen'],
  ],
  [
    'servicenow',
    'an insert',
    {},
    {
      event_type: 'incident.created',
      table: 'incident',
      operation: 'insert',
      record: { sys_id: 'a', sys_updated_on: '2026-01-01 00:00:00', sys_mod_count: '0' },
    },
    ['create incident a 2026-01-01 00:00:00#0'],
  ],
  [
    'servicenow',
    'no record',
    {},
    { table: 'incident', operation: 'update' },
    ['malformed incident.update names no record'],
  ],
  [
    'github',
    'an unheard-of event',
    { 'x-github-event': 'teleported' },
    { action: 'x' },
    ['unknown teleported.x'],
  ],
  ['github', 'an inherited name', { 'x-github-event': 'constructor' }, {}, ['unknown constructor']],
  [
    'slack',
    'a message',
    {},
    {
      type: 'event_callback',
      event: { type: 'message', channel: 'C1', ts: '1.2', event_ts: '1.2' },
    },
    ['create message C1:1.2 1.2'],
  ],
  [
    'slack',
    'a deleted message',
    {},
    {
      type: 'event_callback',
      event: {
        type: 'message',
        subtype: 'message_deleted',
        channel: 'C1',
        deleted_ts: '1.2',
        ts: '1.3',
        event_ts: '1.3',
      },
    },
    ['delete message C1:1.2 1.3'],
  ],
  [
    'slack',
    'a renamed channel',
    {},
    {
      type: 'event_callback',
      event: { type: 'channel_rename', channel: { id: 'C1' }, event_ts: '9.1' },
    },
    ['update channel C1 9.1'],
  ],
  ['slack', 'a button', {}, { type: 'block_actions' }, ['notice block_actions']],
  [
    'notion',
    'new content',
    {},
    { id: 'x', type: 'page.content_updated', timestamp: 'T', entity: { id: 'p1', type: 'page' } },
    ['update page p1 T'],
  ],
  [
    'notion',
    'a restored page',
    {},
    { type: 'page.undeleted', timestamp: 'T', entity: { id: 'p1', type: 'page' } },
    ['update page p1 T'],
  ],
  [
    'notion',
    'a deleted page',
    {},
    { type: 'page.deleted', timestamp: 'T', entity: { id: 'p1', type: 'page' } },
    ['delete page p1 T'],
  ],
  [
    'google-pubsub',
    'mail',
    {},
    {
      message: {
        data: Buffer.from('{"emailAddress":"a@b.c","historyId":12}').toString('base64'),
        messageId: '1',
      },
    },
    ['update mailbox a@b.c 12'],
  ],
  [
    'google-pubsub',
    'a chat message',
    {},
    {
      message: {
        attributes: {
          'ce-type': 'google.workspace.chat.message.v1.created',
          'ce-subject': '//chat/spaces/1',
          'ce-time': 'T',
        },
      },
    },
    ['create message //chat/spaces/1 T'],
  ],
  [
    'google-channel',
    'a change',
    {
      'x-goog-resource-state': 'exists',
      'x-goog-resource-uri': 'https://www.googleapis.com/calendar/v3/calendars/p/events?alt=json',
    },
    undefined,
    ['resync channel.exists'],
  ],
  ...moreRows,
]
