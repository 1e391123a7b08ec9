import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demo } from '../../infra/local/demo.ts'
import type { FunctionsProcess } from '../../infra/local/functions-process.ts'
import { startRunning, type Running } from './running.ts'

let running: Running
let functions: FunctionsProcess

beforeAll(async () => {
  running = await startRunning({ storage: true })
  functions = await running.startFunctions()
  await running.writeSettings({ PUBLIC_URL: functions.url })
})
afterAll(async () => {
  await functions[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

const secret = () => running.stack.settings['DEMO_SALESFORCE_SECRET'] ?? ''

function post(body: string, more: { path?: string; headers?: Record<string, string> } = {}) {
  const { path = `/webhooks/${demo.registrationId}/events`, headers = {} } = more
  const signature = createHmac('sha256', secret()).update(body).digest('base64')
  return fetch(`${functions.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-salesforce-content-sha256': signature,
      ...headers,
    },
    body,
  })
}

async function operate(method: string, path: string, more: { role?: string; tenant?: string; body?: object; etag?: string } = {}) {
  const { role = 'admin', tenant = demo.tenantId, body, etag } = more
  const { token } = await running.stack.issuer.control.mint({
    subject: 'me',
    tenantId: tenant,
    roles: [role],
  })
  const answer = await fetch(`${functions.url}/api/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(etag === undefined ? {} : { 'if-match': etag }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return { status: answer.status, etag: answer.headers.get('etag') ?? '', body: await answer.json() as Record<string, any> }
}

const opportunity = JSON.stringify({
  eventId: 'evt-1',
  eventType: 'Opportunity.updated',
  sobjectType: 'Opportunity',
  recordId: '006000000000001AAA',
  operation: 'update',
})

describe('the receiver of the demo', () => {
  test('answers as the contract says', async () => {
    const answer = await post(opportunity)
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { success: true, eventType: 'Opportunity.updated', entityId: '006000000000001AAA', synced: false },
    ])
  })

  test.for<[string, number, string, Parameters<typeof post>[1]]>([
    ['a forged signature', 401, opportunity, { headers: { 'x-salesforce-content-sha256': 'AAAA' } }],
    ['an unknown registration', 404, opportunity, { path: '/webhooks/reg-999/events' }],
    ['no registration', 400, opportunity, { path: '/webhooks' }],
    ['no JSON', 400, '{"a":', {}],
    ['too large a body', 413, JSON.stringify({ a: 'x'.repeat(1_100_000) }), {}],
  ])('answers %s with %i', async ([, status, body, more]) => {
    const answer = await post(body, more)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ error: expect.any(String) })
  })
})
