import type { Json } from '../../src/core/canonical-json.ts'
import type { Hint } from '../../src/rate-limit/hints.ts'

export const now = new Date('2026-03-01T10:00:00.000Z')
const nowSeconds = now.getTime() / 1_000
export const inSeconds = (seconds: number) => new Date(now.getTime() + seconds * 1_000)
export const HOUR = 3_600_000
const MINUTE = 60_000

export interface Sample {
  readonly status?: number
  readonly headers: Record<string, string>
  readonly body?: Json
  readonly hint: Hint
}

/** Header names and forms as in the vendors' documents, read in August to November 2026. */
export const samples: Readonly<Record<string, Sample>> = {
  'ServiceNow, a rule of 500 an hour, without what remains': {
    headers: {
      'X-RateLimit-Limit': '500',
      'X-RateLimit-Reset': String(nowSeconds + 1_800),
      'X-RateLimit-Rule': '0ea1b0f3db8b0010f1d5b0a9af96195c',
    },
    hint: { refused: false, limit: 500, resetAt: inSeconds(1_800), windowMs: HOUR },
  },
  'ServiceNow, over the rule': {
    status: 429,
    headers: {
      'X-RateLimit-Limit': '500',
      'X-RateLimit-Reset': String(nowSeconds + 1_800),
      'X-RateLimit-Rule': '0ea1b0f3db8b0010f1d5b0a9af96195c',
      'Retry-After': '1800',
    },
    hint: {
      refused: true,
      limit: 500,
      resetAt: inSeconds(1_800),
      windowMs: HOUR,
      pauseUntil: inSeconds(1_800),
    },
  },
  'ServiceNow, no free semaphore: 429 and nothing else': {
    status: 429,
    headers: { 'content-type': 'application/json' },
    hint: { refused: true },
  },
  'Salesforce, the day': {
    headers: { 'Sforce-Limit-Info': 'api-usage=18/5000' },
    hint: { refused: false, day: { used: 18, limit: 5_000 } },
  },
  'Salesforce, the day and what an app may use of it': {
    headers: { 'Sforce-Limit-Info': 'api-usage=18/5000; per-app-api-usage=17/250(appName=sync)' },
    hint: { refused: false, day: { used: 17, limit: 250 } },
  },
  'Salesforce, the day is used up': {
    status: 403,
    headers: { 'Sforce-Limit-Info': 'api-usage=5000/5000' },
    body: [{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }],
    hint: { refused: true, day: { used: 5_000, limit: 5_000 } },
  },
  'Salesforce, no right to a field': {
    status: 403,
    headers: { 'Sforce-Limit-Info': 'api-usage=6/5000' },
    body: [{ message: 'no', errorCode: 'INSUFFICIENT_ACCESS' }],
    hint: { refused: false, day: { used: 6, limit: 5_000 } },
  },
  Freshservice: {
    headers: {
      'X-RateLimit-Total': '200',
      'X-RateLimit-Remaining': '40',
      'X-RateLimit-Used-CurrentRequest': '1',
    },
    hint: { refused: false, limit: 200, remaining: 40, windowMs: MINUTE },
  },
  'Zendesk, older': {
    headers: { 'X-Rate-Limit': '700', 'X-Rate-Limit-Remaining': '699' },
    hint: { refused: false, limit: 700, remaining: 699, windowMs: MINUTE },
  },
  'Zendesk, newer': {
    headers: { 'ratelimit-limit': '700', 'ratelimit-remaining': '120', 'ratelimit-reset': '41' },
    hint: { refused: false, limit: 700, remaining: 120, resetAt: inSeconds(41) },
  },
  'Zendesk, one endpoint': {
    headers: { 'zendesk-ratelimit-tickets-index': 'total=100; remaining=99; resets=41' },
    hint: { refused: false, limit: 100, remaining: 99, resetAt: inSeconds(41) },
  },
  GitHub: {
    headers: {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '4987',
      'x-ratelimit-used': '13',
      'x-ratelimit-reset': String(nowSeconds + 600),
      'x-ratelimit-resource': 'core',
    },
    hint: {
      refused: false,
      limit: 5_000,
      remaining: 4_987,
      resetAt: inSeconds(600),
      windowMs: HOUR,
    },
  },
  'GitHub, used up: 403 with nothing remaining': {
    status: 403,
    headers: {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-used': '5000',
      'x-ratelimit-reset': String(nowSeconds + 600),
    },
    hint: {
      refused: true,
      limit: 5_000,
      remaining: 0,
      resetAt: inSeconds(600),
      windowMs: HOUR,
      pauseUntil: inSeconds(600),
    },
  },
  'GitHub, the secondary limit': {
    status: 403,
    headers: {
      'retry-after': '60',
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '4000',
      'x-ratelimit-used': '1000',
      'x-ratelimit-reset': String(nowSeconds + 600),
    },
    hint: {
      refused: true,
      limit: 5_000,
      remaining: 4_000,
      resetAt: inSeconds(600),
      windowMs: HOUR,
      pauseUntil: inSeconds(60),
    },
  },
  'GitHub, no rights': {
    status: 403,
    headers: {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '4000',
      'x-ratelimit-used': '1000',
    },
    hint: { refused: false, limit: 5_000, remaining: 4_000, windowMs: HOUR },
  },
  Slack: {
    status: 429,
    headers: { 'retry-after': '30' },
    hint: { refused: true, pauseUntil: inSeconds(30) },
  },
  'GitHub, the secondary limit without a header: a minute': {
    status: 403,
    headers: {},
    body: { message: 'You have exceeded a secondary rate limit. Please wait a few minutes.' },
    hint: { refused: true, pauseUntil: inSeconds(60) },
  },
  'GitHub, used up: 429 with nothing remaining': {
    status: 429,
    headers: {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-used': '5000',
      'x-ratelimit-reset': String(nowSeconds + 600),
    },
    hint: {
      refused: true,
      limit: 5_000,
      remaining: 0,
      resetAt: inSeconds(600),
      windowMs: HOUR,
      pauseUntil: inSeconds(600),
    },
  },
  'Slack, 200 that is a refusal': {
    headers: { 'retry-after': '10' },
    body: { ok: false, error: 'ratelimited' },
    hint: { refused: true, pauseUntil: inSeconds(10) },
  },
  'Slack, 200 that is another refusal': {
    headers: {},
    body: { ok: false, error: 'channel_not_found' },
    hint: { refused: false },
  },
  'a row that tells of limits': {
    headers: {},
    body: { ok: true, title: 'ratelimited', error: 'ratelimited' },
    hint: { refused: false },
  },
  'Linear, 400 that is a refusal': {
    status: 400,
    headers: {
      'x-ratelimit-requests-limit': '1500',
      'x-ratelimit-requests-remaining': '0',
      'x-ratelimit-requests-reset': String(now.getTime() + 90_500),
    },
    body: { errors: [{ message: 'Rate limit exceeded', extensions: { code: 'RATELIMITED' } }] },
    hint: {
      refused: true,
      limit: 1_500,
      remaining: 0,
      resetAt: inSeconds(90.5),
      windowMs: HOUR,
      pauseUntil: inSeconds(90.5),
    },
  },
  'WhatsApp, throughput': {
    status: 400,
    headers: {},
    body: { error: { message: '(#130429) Rate limit hit', type: 'OAuthException', code: 130429 } },
    hint: { refused: true },
  },
  'WhatsApp, another refusal': {
    status: 400,
    headers: {},
    body: { error: { message: 'no such message', type: 'OAuthException', code: 131009 } },
    hint: { refused: false },
  },
  'Freshservice, over the limit': {
    status: 429,
    headers: {
      'Retry-After': '27',
      'X-RateLimit-Total': '200',
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Used-CurrentRequest': '1',
    },
    hint: {
      refused: true,
      limit: 200,
      remaining: 0,
      windowMs: MINUTE,
      pauseUntil: inSeconds(27),
    },
  },
  'Zendesk, over the limit': {
    status: 429,
    headers: { 'Retry-After': '93', 'X-Rate-Limit': '700', 'X-Rate-Limit-Remaining': '0' },
    hint: {
      refused: true,
      limit: 700,
      remaining: 0,
      windowMs: MINUTE,
      pauseUntil: inSeconds(93),
    },
  },
  'S53: Shopify, seconds with a point': {
    status: 429,
    headers: { 'Retry-After': '2.0', 'X-Shopify-Shop-Api-Call-Limit': '40/40' },
    hint: { refused: true, pauseUntil: inSeconds(2) },
  },
  'Intercom, seconds since 1970': {
    headers: {
      'x-ratelimit-limit': '1000',
      'x-ratelimit-remaining': '10',
      'x-ratelimit-reset': String(nowSeconds + 8),
    },
    hint: { refused: false, limit: 1_000, remaining: 10, resetAt: inSeconds(8) },
  },
  'PagerDuty, only when it ends': {
    status: 429,
    headers: { 'ratelimit-limit': '960', 'ratelimit-remaining': '0', 'ratelimit-reset': '6' },
    hint: {
      refused: true,
      limit: 960,
      remaining: 0,
      resetAt: inSeconds(6),
      pauseUntil: inSeconds(6),
    },
  },
  'BambooHR, throttled': {
    status: 503,
    headers: { 'Retry-After': '15' },
    hint: { refused: true, pauseUntil: inSeconds(15) },
  },
  'Jira, over a limit': {
    status: 429,
    headers: {
      'Retry-After': '12',
      'X-RateLimit-Reset': '2026-03-01T10:00:12Z',
      'RateLimit-Reason': 'jira-burst-based',
    },
    hint: { refused: true, resetAt: inSeconds(12), pauseUntil: inSeconds(12) },
  },
  'HubSpot, over the ten seconds': {
    status: 429,
    headers: {
      'x-hubspot-ratelimit-max': '100',
      'x-hubspot-ratelimit-remaining': '0',
      'x-hubspot-ratelimit-interval-milliseconds': '10000',
    },
    body: { status: 'error', errorType: 'RATE_LIMIT', policyName: 'TEN_SECONDLY_ROLLING' },
    hint: {
      refused: true,
      limit: 100,
      remaining: 0,
      resetAt: inSeconds(10),
      pauseUntil: inSeconds(10),
    },
  },
  'Microsoft Graph, a gateway that tells when': {
    status: 504,
    headers: { 'Retry-After': '5' },
    hint: { refused: true, pauseUntil: inSeconds(5) },
  },
  'Salesforce, 420': { status: 420, headers: {}, hint: { refused: true } },
  'Notion, overloaded': { status: 529, headers: {}, hint: { refused: true } },
  'Microsoft Graph, for a while': {
    status: 503,
    headers: { 'Retry-After': '120' },
    hint: { refused: true, pauseUntil: inSeconds(120) },
  },
  'a fault that has nothing to do with limits': {
    status: 503,
    headers: {},
    hint: { refused: false },
  },
  'Google, by the reason in the body': {
    status: 403,
    headers: {},
    body: { error: { code: 403, errors: [{ reason: 'userRateLimitExceeded' }] } },
    hint: { refused: true },
  },
  'Linear, milliseconds since 1970': {
    headers: {
      'x-ratelimit-requests-limit': '1500',
      'x-ratelimit-requests-remaining': '100',
      'x-ratelimit-requests-reset': String(now.getTime() + 90_500),
    },
    hint: {
      refused: false,
      limit: 1_500,
      remaining: 100,
      resetAt: inSeconds(90.5),
      windowMs: HOUR,
    },
  },
  'Jira, a date as text': {
    headers: {
      'x-ratelimit-nearlimit': 'true',
      'x-ratelimit-limit': '350',
      'x-ratelimit-remaining': '50',
      'x-ratelimit-reset': '2026-03-01T10:02Z',
    },
    hint: { refused: false, limit: 350, remaining: 50, resetAt: inSeconds(120) },
  },
  'HubSpot, milliseconds': {
    headers: {
      'x-hubspot-ratelimit-max': '100',
      'x-hubspot-ratelimit-remaining': '20',
      'x-hubspot-ratelimit-interval-milliseconds': '10000',
    },
    hint: { refused: false, limit: 100, remaining: 20, resetAt: inSeconds(10) },
  },
  'the IETF draft in one field': {
    headers: { RateLimit: 'limit=100, remaining=50, reset=30' },
    hint: { refused: false, limit: 100, remaining: 50, resetAt: inSeconds(30) },
  },
  'the newest IETF draft': {
    headers: { RateLimit: '"default";r=50;t=30', 'RateLimit-Policy': '"default";q=100;w=60' },
    hint: { refused: false, remaining: 50, resetAt: inSeconds(30) },
  },
  'somebody unknown, seconds to wait': {
    headers: {
      'x-ratelimit-limit': '60',
      'x-ratelimit-remaining': '5',
      'x-ratelimit-reset': '12',
    },
    hint: { refused: false, limit: 60, remaining: 5, resetAt: inSeconds(12) },
  },
  'S53: Retry-After as a date': {
    status: 429,
    headers: { 'Retry-After': 'Sun, 01 Mar 2026 10:00:45 GMT' },
    hint: { refused: true, pauseUntil: inSeconds(45) },
  },
  'S53: Retry-After of a day is an hour': {
    status: 429,
    headers: { 'Retry-After': '86400' },
    hint: { refused: true, pauseUntil: inSeconds(3_600) },
  },
  'S53: Retry-After in the past is a second': {
    status: 429,
    headers: { 'Retry-After': 'Sun, 01 Mar 2026 09:00:00 GMT' },
    hint: { refused: true, pauseUntil: inSeconds(1) },
  },
  'S53: a reset in the past says nothing': {
    status: 429,
    headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowSeconds - 60) },
    hint: { refused: true, remaining: 0 },
  },
  'S53: milliseconds where seconds were promised': {
    headers: { 'ratelimit-remaining': '7', 'ratelimit-reset': String(now.getTime() + 9_000) },
    hint: { refused: false, remaining: 7, resetAt: inSeconds(9) },
  },
  'S53: words where numbers were promised': {
    headers: { 'ratelimit-limit': 'many', 'ratelimit-remaining': '-1', 'ratelimit-reset': 'soon' },
    hint: { refused: false },
  },
  'nothing at all': { headers: {}, hint: { refused: false } },
}
