import type { EventRow } from './event-rows.ts'

/** The second half of the rows. */
export const moreRows: readonly EventRow[] = [
  [
    'zendesk',
    'an event',
    {},
    {
      type: 'zen:event-type:ticket.created',
      subject: 'zen:ticket:7',
      detail: { id: '7', updated_at: 'T' },
    },
    ['create ticket 7 T'],
  ],
  ['zendesk', 'a trigger', {}, { ticket_id: 7 }, ['update ticket 7']],
  [
    'freshservice',
    'a template',
    {},
    { freshdesk_webhook: { ticket_id: 'INC-12', triggered_event: 'ticket_status' } },
    ['update ticket 12'],
  ],
  [
    'whatsapp',
    'a status and a message',
    {},
    {
      entry: [
        {
          changes: [
            {
              field: 'messages',
              value: {
                messages: [{ id: 'wamid.1', type: 'text', timestamp: '1' }],
                statuses: [{ id: 'wamid.2', status: 'read', timestamp: '2' }],
              },
            },
          ],
        },
      ],
    },
    ['create message wamid.1 1', 'update message wamid.2 4:2'],
  ],
  [
    'meta',
    'messenger',
    {},
    { object: 'page', entry: [{ messaging: [{ message: { mid: 'm1' } }] }] },
    ['create message m1'],
  ],
  [
    'microsoft-graph',
    'two, one a gap',
    {},
    {
      value: [
        {
          changeType: 'deleted',
          resource: 'users/1/messages/2',
          resourceData: {
            '@odata.type': '#Microsoft.Graph.Message',
            id: '2',
            '@odata.etag': 'W/"x"',
          },
        },
        { lifecycleEvent: 'missed' },
      ],
    },
    ['delete message 2 W/"x"', 'resync lifecycle.missed'],
  ],
  [
    'microsoft-graph',
    'a lifecycle word',
    {},
    { value: [{ lifecycleEvent: 'reauthorizationRequired' }] },
    ['notice lifecycle.reauthorizationRequired'],
  ],
  [
    'hubspot',
    'three',
    {},
    [
      { subscriptionType: 'contact.creation', objectId: 1, occurredAt: 5 },
      {
        subscriptionType: 'deal.propertyChange',
        objectId: 2,
        propertyName: 'a',
        propertyValue: 'b',
        occurredAt: 6,
      },
      { subscriptionType: 'contact.constructor', objectId: 3 },
    ],
    ['create contact 1 5', 'update deal 2 6', 'unknown contact.constructor'],
  ],
  [
    'shopify',
    'an order',
    { 'x-shopify-topic': 'orders/create' },
    { id: 820982911946154500 },
    ['unknown orders/create'],
  ],
  [
    'shopify',
    'an order that can be told',
    { 'x-shopify-topic': 'orders/updated' },
    { id: 8209829119461, updated_at: 'T' },
    ['update orders 8209829119461 T'],
  ],
  ['shopify', 'a request', { 'x-shopify-topic': 'shop/redact' }, {}, ['notice shop/redact']],
  [
    'stripe',
    'a customer',
    {},
    {
      id: 'evt_1',
      type: 'customer.deleted',
      data: { object: { id: 'cus_1', object: 'customer' } },
    },
    ['delete customer cus_1'],
  ],
  [
    'twilio',
    'a message',
    {},
    { MessageSid: 'SM1', MessageStatus: 'delivered' },
    ['update message SM1'],
  ],
  [
    'zoom',
    'a meeting',
    {},
    { event: 'meeting.created', event_ts: 5, payload: { object: { id: 9, uuid: 'u==' } } },
    ['create meeting u== 5'],
  ],
  [
    'jira',
    'an issue',
    {},
    {
      webhookEvent: 'jira:issue_updated',
      timestamp: 1,
      issue: { id: '10', fields: { updated: 'T' } },
    },
    ['update issue 10 T'],
  ],
  [
    'jira',
    'a comment',
    {},
    { webhookEvent: 'comment_deleted', comment: { id: '3', updated: 'T' }, issue: { id: '10' } },
    ['delete comment 3 T'],
  ],
  [
    'bamboohr',
    'two',
    {},
    {
      employees: [
        { id: '1', action: 'Created', timestamp: 'T' },
        { id: '2', action: 'Updated' },
      ],
    },
    ['create employee 1 T', 'update employee 2'],
  ],
  [
    'bamboohr',
    'an event',
    {},
    { type: 'employee.updated', timestamp: 'T', data: { employeeId: '4' } },
    ['update employee 4 T'],
  ],
  [
    'pagerduty',
    'an incident',
    {},
    {
      event: {
        id: '1',
        event_type: 'incident.triggered',
        resource_type: 'incident',
        occurred_at: 'T',
        data: { id: 'PX' },
      },
    },
    ['create incident PX T'],
  ],
  [
    'sendgrid',
    'mails',
    {},
    [{ event: 'delivered' }, {}],
    ['notice email.delivered', 'unknown unknown'],
  ],
  ['discord', 'a command', {}, { type: 2 }, ['notice interaction.application_command']],
  [
    'asana',
    'a task and a heartbeat',
    {},
    {
      events: [
        { action: 'deleted', resource: { gid: '1', resource_type: 'task' }, created_at: 'T' },
      ],
    },
    ['delete task 1 T'],
  ],
  ['asana', 'a heartbeat', {}, { events: [] }, ['notice heartbeat']],
  [
    'xero',
    'a contact',
    {},
    {
      events: [
        { resourceId: 'r', eventCategory: 'CONTACT', eventType: 'CREATE', eventDateUtc: 'T' },
      ],
    },
    ['create contact r T'],
  ],
  [
    'azure-event-grid',
    'a blob',
    {},
    [{ id: '1', eventType: 'Microsoft.Storage.BlobCreated', subject: '/b/x', eventTime: 'T' }],
    ['update Storage /b/x T'],
  ],
  [
    'cloudevents',
    'binary mode',
    { 'ce-type': 'com.example.order.created', 'ce-time': 'T' },
    { id: 5 },
    ['create order 5 T'],
  ],
  [
    'cloudevents',
    'structured mode',
    {},
    { type: 'com.example.order.deleted', subject: 's', time: 'T' },
    ['delete order s T'],
  ],
  [
    'linear',
    'an issue',
    {},
    { type: 'Issue', action: 'remove', data: { id: 'i', updatedAt: 'T' } },
    ['delete Issue i T'],
  ],
  [
    'gitlab',
    'a merge request',
    {},
    { object_kind: 'merge_request', object_attributes: { id: 3, action: 'open', updated_at: 'T' } },
    ['create merge_request 3 T'],
  ],
  [
    'standard-webhooks',
    'a contact',
    {},
    { type: 'contact.created', timestamp: 'T', data: { id: 'c1' } },
    ['create contact c1'],
  ],
  ['workday', 'nothing that is known', {}, { a: 1 }, ['unknown unknown']],
]
