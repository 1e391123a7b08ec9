import type { Place, TokenScheme } from '../scheme.ts'

/** For vendors that sign nothing: a long random text in a header, a password, or part of the URL that they call. */
const anywhere: Place[] = [
  { in: 'header', name: 'x-webhook-token' },
  { in: 'basic' },
  { in: 'query', name: 'token' },
]

/** A shared text that the sender repeats. It proves who sends, not what; read the object again before acting. */
export const tokenSchemes = {
  'static-token': { kind: 'token', name: 'static-token', at: anywhere },
  freshservice: { kind: 'token', name: 'freshservice', at: anywhere },
  workday: { kind: 'token', name: 'workday', at: anywhere },
  /**
   * SOAP, unsigned: the token stands in the endpoint's URL. A batch has a delivery id only when it holds one
   * notification, for a repeated batch need not be the same batch.
   */
  'salesforce-outbound-message': {
    kind: 'token',
    name: 'salesforce-outbound-message',
    at: [{ in: 'query', name: 'token' }],
    bindings: [{ at: { in: 'xml', element: 'OrganizationId' }, setting: 'organizationId' }],
    id: [{ in: 'xml', element: 'Id', parent: 'Notification' }],
    acknowledgement: 'salesforce-soap',
  },
  'google-channel': {
    kind: 'token',
    name: 'google-channel',
    at: [{ in: 'header', name: 'x-goog-channel-token' }],
    bindings: [
      { at: { in: 'header', name: 'x-goog-channel-id' }, setting: 'channelId' },
      { at: { in: 'header', name: 'x-goog-resource-id' }, setting: 'resourceId' },
    ],
    id: [
      { in: 'header', name: 'x-goog-channel-id' },
      { in: 'header', name: 'x-goog-message-number' },
    ],
    challenge: 'google-channel',
  },
  /** Also its lifecycle notifications, which have the same shape. One post may mix subscriptions: each item counts. */
  'microsoft-graph': {
    kind: 'token',
    name: 'microsoft-graph',
    at: [{ in: 'json', path: ['value', '*', 'clientState'] }],
    challenge: 'graph',
  },
  'azure-event-grid': {
    kind: 'token',
    name: 'azure-event-grid',
    at: [
      { in: 'header', name: 'x-webhook-token' },
      { in: 'query', name: 'token' },
    ],
    // Told only of a delivery with one event.
    id: [
      { in: 'json', path: ['*', 'topic'] },
      { in: 'json', path: ['*', 'id'] },
    ],
    challenge: 'event-grid',
  },
  cloudevents: {
    kind: 'token',
    name: 'cloudevents',
    at: [
      { in: 'header', name: 'authorization', prefix: 'Bearer ' },
      { in: 'query', name: 'access_token' },
      { in: 'header', name: 'x-webhook-token' },
      { in: 'query', name: 'token' },
    ],
    // Unique only together with the source (CloudEvents 1.0 §3.1).
    id: [
      { in: 'header', name: 'ce-source' },
      { in: 'header', name: 'ce-id' },
    ],
    challenge: 'cloudevents',
  },
  gitlab: {
    kind: 'token',
    name: 'gitlab',
    at: [{ in: 'header', name: 'x-gitlab-token' }],
    id: [{ in: 'header', name: 'idempotency-key' }],
  },
} satisfies Record<string, TokenScheme>
