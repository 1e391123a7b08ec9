import type { SignedScheme } from '../scheme.ts'

type Signature = SignedScheme['signature']

/** HMAC of the body alone. What protects these against replay is remembering the delivery's id. */
function ofBody(
  name: string,
  signature: Signature,
  more: Partial<
    Pick<
      SignedScheme,
      'algorithm' | 'id' | 'challenge' | 'acknowledgement' | 'forms' | 'bodyTimestamp'
    >
  > = {},
): SignedScheme {
  return {
    kind: 'signed',
    name,
    algorithm: 'hmac-sha256',
    key: { encoding: 'utf8' },
    signed: '{body}',
    signature,
    ...more,
  }
}

const hex = (header: string, prefix?: string): Signature => ({
  header,
  encodings: ['hex'],
  ...(prefix === undefined ? {} : { prefix }),
})

const base64 = (header: string, prefix?: string): Signature => ({
  header,
  encodings: ['base64'],
  ...(prefix === undefined ? {} : { prefix }),
})

const jsonId = (...path: string[]): SignedScheme['id'] => [{ in: 'json', path }]

const headerId = (name: string): SignedScheme['id'] => [{ in: 'header', name }]

const meta = { challenge: 'meta', forms: ['escaped-body'] } satisfies Partial<SignedScheme>

export const hmacSchemes = {
  /** The project's own: what the Apex class that we ship writes. Not a header of Salesforce's. */
  salesforce: ofBody(
    'salesforce',
    { header: 'x-salesforce-content-sha256', encodings: ['base64', 'hex'] },
    { id: jsonId('eventId') },
  ),
  /** Event Notification Service; the key is the text shown once when the callback is made. */
  'salesforce-marketing-cloud': ofBody(
    'salesforce-marketing-cloud',
    base64('x-sfmc-ens-signature'),
  ),
  /** The project's own: what the business rule that we ship writes. */
  'servicenow-business-rule': ofBody('servicenow-business-rule', hex('x-servicenow-signature')),
  /** Virtual Agent, bot to bot. */
  'servicenow-virtual-agent': ofBody('servicenow-virtual-agent', hex('x-b2b-signature'), {
    algorithm: 'hmac-sha1',
  }),
  github: ofBody('github', hex('x-hub-signature-256', 'sha256='), {
    id: headerId('x-github-delivery'),
  }),
  'github-sha1': ofBody('github-sha1', hex('x-hub-signature', 'sha1='), {
    algorithm: 'hmac-sha1',
    id: headerId('x-github-delivery'),
  }),
  notion: ofBody('notion', hex('x-notion-signature', 'sha256='), {
    id: jsonId('id'),
    challenge: 'notion',
  }),
  whatsapp: ofBody('whatsapp', hex('x-hub-signature-256', 'sha256='), meta),
  meta: ofBody('meta', hex('x-hub-signature-256', 'sha256='), meta),
  shopify: ofBody('shopify', base64('x-shopify-hmac-sha256'), {
    id: headerId('x-shopify-webhook-id'),
  }),
  'shopify-events': ofBody('shopify-events', base64('shopify-hmac-sha256'), {
    id: headerId('shopify-webhook-id'),
  }),
  /** Webhooks that an administrator makes; the header has no `-256` though the value says sha256. */
  'jira-admin': ofBody('jira-admin', hex('x-hub-signature', 'sha256='), {
    id: headerId('x-atlassian-webhook-identifier'),
  }),
  /** One signature for every secret in force. */
  pagerduty: ofBody(
    'pagerduty',
    { ...hex('x-pagerduty-signature', 'v1='), list: ',' },
    { id: jsonId('event', 'id') },
  ),
  asana: ofBody('asana', hex('x-hook-signature'), { challenge: 'asana' }),
  /** The "intent to receive" is an ordinary delivery: 200 when signed, 401 when not, both with an empty body. */
  xero: ofBody('xero', base64('x-xero-signature'), { acknowledgement: 'empty' }),
  linear: ofBody('linear', hex('linear-signature'), {
    id: headerId('linear-delivery'),
    bodyTimestamp: {
      at: { in: 'json', path: ['webhookTimestamp'] },
      unit: 'milliseconds',
      toleranceSeconds: 60,
    },
  }),
  calcom: ofBody('calcom', hex('x-cal-signature-256')),
  typeform: ofBody('typeform', base64('typeform-signature', 'sha256='), { id: jsonId('event_id') }),
  'docusign-connect': ofBody('docusign-connect', base64('x-docusign-signature-1')),
  intercom: ofBody('intercom', hex('x-hub-signature', 'sha1='), {
    algorithm: 'hmac-sha1',
    id: jsonId('id'),
  }),
  vercel: ofBody('vercel', hex('x-vercel-signature'), {
    algorithm: 'hmac-sha1',
    id: jsonId('id'),
  }),
  autotask: ofBody('autotask', base64('x-hook-signature', 'sha1='), { algorithm: 'hmac-sha1' }),
  helpscout: ofBody('helpscout', base64('x-helpscout-signature'), { algorithm: 'hmac-sha1' }),
  /** Answers its challenge-response check with the same secret that signs. */
  twitter: ofBody('twitter', base64('x-twitter-webhooks-signature', 'sha256='), {
    challenge: 'crc',
  }),
} satisfies Record<string, SignedScheme>
