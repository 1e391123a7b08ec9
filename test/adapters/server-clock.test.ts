import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { leanHttpClient } from '../../src/adapters/cosmos-http.ts'
import { serverClock, type TimedAnswer } from '../../src/adapters/server-clock.ts'

const START_MS = Date.parse('2026-03-01T10:00:00.250Z')

/** An instance whose clock is wrong, and calls whose answers carry the server's time in whole seconds. */
function instance(skewMs: number) {
  let [serverMs, behindMs] = [START_MS, skewMs]
  const told: number[] = []
  const own = () => serverMs - behindMs
  const clock = serverClock({ own, tell: (ms) => void told.push(ms) })
  return {
    told,
    errorMs: () => Math.abs(clock.now().getTime() - serverMs),
    advance: (ms: number) => {
      serverMs += ms
    },
    setBehind: (ms: number) => {
      behindMs = ms
    },
    call: (thereMs: number, backMs: number) => {
      const sentMs = own()
      serverMs += thereMs
      const date = new Date(serverMs).toUTCString()
      serverMs += backMs
      clock.learnFrom({ sentMs, receivedMs: own(), date })
    },
  }
}

const way = fc.integer({ min: 0, max: 3_000 })
const calls = fc.array(fc.tuple(way, way, fc.integer({ min: 0, max: 100_000 })), { minLength: 1 })
const skew = fc.integer({ min: -7_200_000, max: 7_200_000 })

test('S59: however wrong its own clock is, an instance is as near to the server as an answer can tell', () => {
  fc.assert(
    fc.property(skew, calls, (behindMs, made) => {
      const here = instance(behindMs)
      for (const [thereMs, backMs, pauseMs] of made) {
        here.call(thereMs, backMs)
        expect(here.errorMs()).toBeLessThanOrEqual(1_000 + thereMs + backMs)
        here.advance(pauseMs)
      }
    }),
  )
})

test('a clock that is right is never changed, whatever the answers say', () => {
  fc.assert(
    fc.property(calls, (made) => {
      const here = instance(0)
      for (const [thereMs, backMs, pauseMs] of made) {
        here.call(thereMs, backMs)
        expect(here.errorMs()).toBe(0)
        here.advance(pauseMs)
      }
      expect(here.told).toEqual([])
    }),
  )
})

test('S59: a clock that is set is corrected by the next answer, and each correction is told once', () => {
  const here = instance(0)
  here.call(5, 5)
  here.setBehind(3_600_000)
  here.call(5, 5)
  expect(here.errorMs()).toBeLessThanOrEqual(1_010)
  here.call(5, 5)
  here.setBehind(0)
  here.call(5, 5)
  expect(here.errorMs()).toBe(0)
  expect(here.told).toHaveLength(2)
  expect(here.told[0]).toBeGreaterThan(3_598_000)
  expect(here.told[1]).toBe(0)
})

test.for([undefined, '', 'yesterday'])('an answer dated %j teaches nothing', (date) => {
  const clock = serverClock({ own: () => START_MS })
  clock.learnFrom({ sentMs: START_MS, receivedMs: START_MS, date })
  expect(clock.now().getTime()).toBe(START_MS)
})

test('every answer of the store carries its time', async () => {
  const learned: TimedAnswer[] = []
  const date = new Date(START_MS).toUTCString()
  const client = leanHttpClient((answer) => void learned.push(answer), {
    sendRequest: async (request) => ({
      request,
      status: 200,
      headers: createHttpHeaders({ date }),
    }),
  })
  await client.sendRequest(createPipelineRequest({ url: 'https://store.example.com/dbs' }))
  expect(learned).toMatchObject([{ date }])
})
