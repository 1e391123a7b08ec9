import { HttpRequest, InvocationContext } from '@azure/functions'
import { describe, expect, test } from 'vitest'
import type { Decision } from '../../src/rate-limit/limiter.ts'
import type { IncomingCall } from '../../src/rate-limit/incoming.ts'
import { admittedCaller, refusalHeaders, refusalOf, sourceIpOf } from '../../src/functions/http.ts'

const context = new InvocationContext({
  functionName: 'signalr-negotiate',
  invocationId: 'i-1',
  logHandler: () => {},
})

const requestFrom = (forwarded: string | undefined) =>
  new HttpRequest({
    method: 'POST',
    url: 'https://example.test/api/signalr-negotiate',
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  })

test.for<[string | undefined, number, string | null]>([
  [undefined, 0, null],
  ['', 0, null],
  ['192.0.2.1', 0, '192.0.2.1'],
  ['192.0.2.1:4711', 0, '192.0.2.1'],
  ['[2001:db8::1]:443', 0, '2001:db8::1'],
  ['6.6.6.6, 192.0.2.1', 0, '192.0.2.1'],
  ['6.6.6.6, 192.0.2.1, 10.0.0.1:9', 1, '192.0.2.1'],
  ['192.0.2.1', 3, '192.0.2.1'],
])('of the forwarded addresses %s with %d trusted proxies the caller is %s', ([text, hops, ip]) => {
  expect(sourceIpOf(requestFrom(text), hops)).toBe(ip)
})

describe('an operator', () => {
  const caller = { subject: 's', tenantId: 't', roles: [], userId: 'u' } as const
  const settings = { limits: { trustedProxyHops: 0 } }
  const ask = async (refusedLevel: string) => {
    const steps: string[] = []
    const app = {
      settings,
      admit: async ({ endpoint, source, tenantId, userId }: IncomingCall) => {
        const level = typeof source === 'string' ? 'source' : 'user'
        steps.push(`${endpoint} ${source ?? `${tenantId} ${userId}`}`)
        return level === refusedLevel
          ? ({ kind: 'denied', level, waitMs: 2_500 } as const)
          : ({ kind: 'allowed' } as const)
      },
      verifyBearer: async () => {
        steps.push('token')
        return caller
      },
    } as unknown as Parameters<typeof admittedCaller>[0] // nothing else of the settings is read
    const request = new HttpRequest({
      method: 'GET',
      url: 'https://example.test/api/v1/connections',
      headers: { 'x-forwarded-for': '6.6.6.6, 192.0.2.1', authorization: 'Bearer t' },
    })
    const result = await admittedCaller(app, request).catch((error: unknown) => error)
    return { steps, result }
  }

  test('who floods is refused by its address before its token is looked at, then by its name', async () => {
    const byAddress = await ask('source')
    expect(byAddress.steps).toEqual(['management 192.0.2.1'])
    expect(refusalHeaders(byAddress.result, 429)).toEqual({ 'retry-after': '3' })
    const byName = await ask('user')
    expect(byName.steps).toEqual(['management 192.0.2.1', 'token', 'management t u'])
    expect(byName.result).toMatchObject({ code: 'rate_limited', afterMs: 2_500 })
    expect((await ask('none')).result).toEqual(caller)
  })
})

async function ask(decision: Decision, call: IncomingCall) {
  const asked: IncomingCall[] = []
  const admit = async (one: IncomingCall) => {
    asked.push(one)
    return decision
  }
  return { answer: await refusalOf({ admit }, call, context), asked }
}

test.for<[number, string]>([
  [1, '1'],
  [1_000, '1'],
  [1_001, '2'],
  [59_500, '60'],
])(
  'a caller over a limit by %d ms is answered 429 with Retry-After %s',
  async ([waitMs, after]) => {
    const denied = { kind: 'denied', level: 'user', waitMs } as const
    const { answer } = await ask(denied, { endpoint: 'signalr-negotiate', userId: 'u' })
    expect(answer).toEqual({
      status: 429,
      headers: { 'retry-after': after },
      jsonBody: { error: 'Too many requests', code: 'rate_limited', correlationId: 'i-1' },
    })
  },
)

test('a caller with room is not answered, and its whole network is one caller', async () => {
  const call = { endpoint: 'servicenow-webhook', source: '2001:db8:1:2::77' } as const
  const { answer, asked } = await ask({ kind: 'allowed' }, call)
  expect(answer).toBeUndefined()
  expect(asked).toEqual([{ ...call, source: '2001:db8:1:2::/64' }])
})
