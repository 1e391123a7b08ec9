import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readerFor } from '../../src/webhooks/events/index.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'

const read = (path: string) =>
  readFileSync(new URL(`../../infra/install/${path}`, import.meta.url), 'utf8')
const json = (path: string) => JSON.parse(read(path)) as Record<string, unknown>

test('what the Apex class posts is verified and understood', () => {
  const { request } = json('salesforce/settings.json') as { request: { body: object } }
  const rawBody = Buffer.from(JSON.stringify(request.body))
  const signature = createHmac('sha256', 'topsecret').update(rawBody).digest('base64')
  const verdict = verifyWebhookSignature(schemes.salesforce, {
    method: 'POST',
    url: 'https://hooks.example.com/webhooks/reg-1/events',
    headers: { 'x-salesforce-content-sha256': signature },
    rawBody,
    now: new Date(0),
    secrets: ['topsecret'],
  })
  expect(verdict).toMatchObject({ valid: true, deliveryId: '8b8f1c1e-3f0f-4c6e-9a52-0d8a5a1f6b11' })
  expect(readerFor('salesforce').toEvents({}, request.body)).toMatchObject([
    {
      kind: 'event',
      entityType: 'Opportunity',
      externalId: '006000000000001AAA',
      operation: 'update',
      sourceVersion: '2026-11-20T12:00:00.000Z',
    },
  ])
})

test('the Apex class writes the members that the settings show, and signs as its test says', () => {
  const publisher = read('salesforce/SynclinePublisher.cls')
  const members = ['eventId', 'events', 'eventType', 'sobjectType', 'recordId', 'operation']
  expect(members.filter((name) => !publisher.includes(`'${name}' =>`))).toEqual([])
  const mac = createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('base64')
  expect(read('salesforce/SynclinePublisherTest.cls')).toContain(mac)
  expect(read('salesforce/README.md')).toContain(
    createHmac('sha256', 'topsecret')
      .update('{"id":"evt_1","name":"Zoë ☃","n":1.0}')
      .digest('base64'),
  )
})

test.for(['github/hook.json', 'slack/manifest.json'])('every event of %s is understood', (path) => {
  const file = json(path) as {
    events?: string[]
    settings?: { event_subscriptions: { bot_events: string[] } }
  }
  const github = (file.events ?? []).flatMap((event) =>
    readerFor('github').toEvents({ 'x-github-event': event }, { action: 'x' }),
  )
  const slack = (file.settings?.event_subscriptions.bot_events ?? []).flatMap((name) =>
    readerFor('slack').toEvents(
      {},
      { type: 'event_callback', event: { type: name.replace(/^message\..*/, 'message') } },
    ),
  )
  const kinds = [...github, ...slack].map(({ kind }) => kind)
  expect(kinds.length).toBeGreaterThan(4)
  expect(kinds).not.toContain('unknown')
})
