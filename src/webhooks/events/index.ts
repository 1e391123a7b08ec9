import { asana } from './asana.ts'
import { bamboohr } from './bamboohr.ts'
import { cloudevents, eventGrid } from './cloudevents.ts'
import { discord } from './discord.ts'
import { dotted } from './dotted.ts'
import { freshservice } from './freshservice.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'
import { googleChannel, googlePubsub } from './google.ts'
import { graph } from './graph.ts'
import { hubspot } from './hubspot.ts'
import { jira } from './jira.ts'
import { linear } from './linear.ts'
import type { Reader } from './meaning.ts'
import { meta } from './meta.ts'
import { notion } from './notion.ts'
import { pagerduty } from './pagerduty.ts'
import { salesforce, salesforceMarketingCloud, salesforceOutboundMessage } from './salesforce.ts'
import { sendgrid } from './sendgrid.ts'
import { servicenow } from './servicenow.ts'
import { shopify } from './shopify.ts'
import { slack } from './slack.ts'
import { stripe } from './stripe.ts'
import { twilio } from './twilio.ts'
import { xero } from './xero.ts'
import { zendesk } from './zendesk.ts'
import { zoom } from './zoom.ts'

/** Whose deliveries are read how, by the names of the schemes; to add one, add its file and an entry. */
const readers: Readonly<Record<string, Reader>> = {
  asana,
  bamboohr,
  cloudevents,
  'azure-event-grid': eventGrid,
  discord,
  freshservice,
  github,
  'github-sha1': github,
  gitlab,
  'google-channel': googleChannel,
  'google-pubsub': googlePubsub,
  'hubspot-v1': hubspot,
  'hubspot-v2': hubspot,
  'hubspot-v3': hubspot,
  hubspot,
  jira,
  'jira-admin': jira,
  'jira-oauth': jira,
  linear,
  meta,
  'microsoft-graph': graph,
  'microsoft-graph-rich': graph,
  notion,
  pagerduty,
  salesforce,
  'salesforce-marketing-cloud': salesforceMarketingCloud,
  'salesforce-outbound-message': salesforceOutboundMessage,
  sendgrid,
  servicenow,
  'servicenow-business-rule': servicenow,
  shopify,
  'shopify-events': shopify,
  slack,
  stripe,
  twilio,
  whatsapp: meta,
  xero,
  zendesk,
  zoom,
}

/** The first of the names that has a reader: a scheme's, then the vendor's; else one type and one id in the usual places. */
export function readerFor(...names: readonly string[]): Reader {
  const known = names.find((name) => Object.hasOwn(readers, name))
  return known === undefined ? dotted : (readers[known] ?? dotted)
}
