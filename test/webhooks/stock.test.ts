import { createHmac } from 'node:crypto'
import { sign as octokitSign, verify as octokitVerify } from '@octokit/webhooks-methods'
import { isValidSlackRequest } from '@slack/bolt'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { Stripe } from 'stripe'
import twilio from 'twilio'
import { describe, expect, test } from 'vitest'
import { schemes } from '../../src/webhooks/schemes.ts'
import { sign } from '../../src/webhooks/sign.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'
import { now } from './samples.ts'

const url = 'https://hooks.example.com/webhooks/reg-1/events?x=1'
const bodies = ['{"id":"evt_1","name":"Zoë ☃","n":1.0}', '{}', '{"text":"a\\u00e4\\/b"}']
const seconds = Math.floor(now.getTime() / 1_000)
/** Put together, or scanners of repositories take it for a real one. */
const stripeSecret = ['whsec', 'topsecret'].join('_')
const standardSecret = ['whsec', Buffer.alloc(32, 9).toString('base64')].join('_')

interface Stock {
  readonly secret: string
  readonly signs: (body: string) => Promise<Record<string, string>> | Record<string, string>
  readonly verifies: (body: string, headers: Readonly<Record<string, string>>) => unknown
}

const stripe = new Stripe('sk_test_x')
const stock: Readonly<Partial<Record<keyof typeof schemes, Stock>>> = {
  github: {
    secret: 'topsecret',
    signs: async (body) => ({ 'x-hub-signature-256': await octokitSign('topsecret', body) }),
    verifies: (body, headers) =>
      octokitVerify('topsecret', body, headers['x-hub-signature-256'] ?? ''),
  },
  'standard-webhooks': {
    secret: standardSecret,
    signs: (body) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(seconds),
      'webhook-signature': new Webhook(standardSecret).sign('msg_1', now, body),
    }),
    // It knows no other clock than the machine's.
    verifies: (body, headers) =>
      new Webhook(standardSecret).sign('msg_1', now, body) === headers['webhook-signature'],
  },
  stripe: {
    secret: stripeSecret,
    signs: (body) => ({
      'stripe-signature': stripe.webhooks.generateTestHeaderString({
        payload: body,
        secret: stripeSecret,
        timestamp: seconds,
      }),
    }),
    verifies: (body, headers) =>
      stripe.webhooks.signature?.verifyHeader(
        body,
        headers['stripe-signature'] ?? '',
        stripeSecret,
        0,
      ),
  },
  slack: {
    secret: 'topsecret',
    // Bolt only verifies: the one who signs is its own documentation ("Verifying requests from Slack").
    signs: (body) => ({
      'x-slack-request-timestamp': String(seconds),
      'x-slack-signature': slackSignature(body),
    }),
    verifies: (body, headers) => boltTakes(body, headers),
  },
}

function slackSignature(body: string, stamp: number | string = seconds): string {
  return `v0=${createHmac('sha256', 'topsecret').update(`v0:${stamp}:${body}`).digest('hex')}`
}

function boltTakes(body: string, headers: Readonly<Record<string, string>>): boolean {
  return isValidSlackRequest({
    signingSecret: 'topsecret',
    body,
    headers: {
      'x-slack-signature': headers['x-slack-signature'] ?? '',
      'x-slack-request-timestamp': Number(headers['x-slack-request-timestamp']),
    },
    nowMilliseconds: now.getTime(),
  })
}

describe.for(Object.entries(stock))('%s', ([name, { secret, signs, verifies }]) => {
  const scheme = schemes[name as keyof typeof schemes] // a key of the table

  test.for(bodies)('what the stock signer made of %s passes', async (body) => {
    const headers = { 'webhook-id': 'msg_1', ...(await signs(body)) }
    const request = { method: 'POST', url, headers, rawBody: Buffer.from(body), now }
    const verdict = verifyWebhookSignature(scheme, { ...request, secrets: ['another', secret] })
    expect(verdict).toMatchObject({ valid: true, secretIndex: 1 })
    const changed = { ...request, rawBody: Buffer.from(`${body} `) }
    expect(verifyWebhookSignature(scheme, { ...changed, secrets: [secret] }).valid).toBe(false)
  })

  test.for(bodies)('what we sign of %s the stock verifier takes', async (body) => {
    const rawBody = Buffer.from(body)
    const { headers } = sign(scheme, {
      method: 'POST',
      url,
      headers: { 'webhook-id': 'msg_1' },
      rawBody,
      now,
      secret,
    })
    expect(await verifies(body, headers)).toBe(true)
  })
})

describe('slack, beside the verifier of @slack/bolt', () => {
  const body = '{"type":"event_callback","event_id":"Ev1"}'
  const verdict = (headers: Readonly<Record<string, string>>) =>
    verifyWebhookSignature(schemes.slack, {
      method: 'POST',
      url,
      headers,
      rawBody: Buffer.from(body),
      now,
      secrets: ['topsecret'],
    }).valid
  const headersAt = (stamp: number | string) => ({
    'x-slack-request-timestamp': String(stamp),
    'x-slack-signature': slackSignature(body, stamp),
  })
  const good = headersAt(seconds)

  test.for<[string, Record<string, string>, boolean]>([
    ['now', good, true],
    ['five minutes old', headersAt(seconds - 300), true],
    ['older', headersAt(seconds - 301), false],
    [
      'of another version',
      { ...good, 'x-slack-signature': slackSignature(body).replace('v0', 'v1') },
      false,
    ],
    ['without a version', { ...good, 'x-slack-signature': slackSignature(body).slice(3) }, false],
    ['empty', { ...good, 'x-slack-signature': '' }, false],
    ['cut', { ...good, 'x-slack-signature': slackSignature(body).slice(0, -2) }, false],
    ['of another moment', { ...good, 'x-slack-request-timestamp': String(seconds - 1) }, false],
    ['without a moment', { 'x-slack-signature': slackSignature(body) }, false],
  ])('both say the same of a signature %s', ([, headers, expected]) => {
    expect([verdict(headers), boltTakes(body, headers)]).toEqual([expected, expected])
  })

  // Bolt lets what comes from the future pass; we hold timestamps both ways.
  test('from the future only Bolt takes it', () => {
    const headers = headersAt(seconds + 301)
    expect([verdict(headers), boltTakes(body, headers)]).toEqual([false, true])
  })

  test('what passes with us passes with Bolt, whichever bit is turned', () => {
    const signature = slackSignature(body)
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.nat(7), (place, bit) => {
        const turned = String.fromCharCode(signature.charCodeAt(place) ^ (1 << bit))
        const changed = signature.slice(0, place) + turned + signature.slice(place + 1)
        const headers = { ...good, 'x-slack-signature': changed }
        expect(verdict(headers)).toBe(false)
        expect(boltTakes(body, headers)).toBe(false)
      }),
    )
  })
})

describe('twilio', () => {
  const secret = 'authtoken'
  const fields = { To: '+15551', From: '+15552', Body: 'Zoë & co', Empty: '' }
  const form = new URLSearchParams(fields).toString()
  const verdictOf = (signature: string, body: string, more: { url?: string } = {}) =>
    verifyWebhookSignature(schemes.twilio, {
      method: 'POST',
      url: more.url ?? url,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': signature,
      },
      rawBody: Buffer.from(body),
      now,
      secrets: [secret],
    })

  test('a form that the stock library signed passes, and no other', () => {
    const signature = twilio.getExpectedTwilioSignature(secret, url, fields)
    expect(verdictOf(signature, form)).toMatchObject({ valid: true })
    expect(verdictOf(signature, `${form}&More=1`).valid).toBe(false)
  })

  test('a form that we signed passes the stock library', () => {
    const { headers } = sign(schemes.twilio, {
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      rawBody: Buffer.from(form),
      now,
      secret,
    })
    expect(twilio.validateRequest(secret, headers['x-twilio-signature'] ?? '', url, fields)).toBe(
      true,
    )
  })

  test('a JSON body that we signed passes the stock library', () => {
    const body = '{"a":1}'
    const signed = sign(schemes.twilio, {
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      rawBody: Buffer.from(body),
      now,
      secret,
    })
    const signature = signed.headers['x-twilio-signature'] ?? ''
    expect(twilio.validateRequestWithBody(secret, signature, signed.url, body)).toBe(true)
    expect(verdictOf(signature, body, { url: signed.url })).toMatchObject({ valid: true })
  })
})
