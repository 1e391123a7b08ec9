import { expect, test } from 'vitest'
import { z } from 'zod'
import { Control, controlCommand } from '../../infra/local/control.ts'
import { serveControl } from '../../infra/local/control-server.ts'
import { serveHttp } from '../../infra/local/http-server.ts'

async function startEcho() {
  const control = new Control(() => ({ effects }))
  let effects = 0
  const server = await serveHttp({
    control,
    operation: ({ method, url }) => `${method} ${url.pathname}`,
    handle: ({ body }) => {
      effects += 1
      return { status: 200, body: { echoed: body.toString() } }
    },
  })
  return {
    control,
    origin: server.origin,
    effects: () => effects,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

test('a planned status answers instead of the work, and only as often as planned', async () => {
  await using echo = await startEcho()
  echo.control.fail({ operation: 'POST', status: 503, headers: { 'retry-after': '7' } })
  const refused = await fetch(`${echo.origin}/a`, { method: 'POST', body: 'x' })
  expect([refused.status, refused.headers.get('retry-after'), echo.effects()]).toEqual([
    503,
    '7',
    0,
  ])
  const served = await fetch(`${echo.origin}/a`, { method: 'POST', body: 'x' })
  expect([await served.json(), echo.effects()]).toEqual([{ echoed: 'x' }, 1])
})

test('a lost answer has its effect; a dropped connection has none', async () => {
  await using echo = await startEcho()
  echo.control.fail({ connection: 'lose-answer' })
  await expect(fetch(echo.origin)).rejects.toThrow()
  expect(echo.effects()).toBe(1)
  echo.control.fail({ connection: 'drop' })
  await expect(fetch(echo.origin)).rejects.toThrow()
  expect(echo.effects()).toBe(1)
})

test('stepping the clock runs what falls due on the way, in order, without waiting', () => {
  using control = new Control(() => undefined)
  const start = control.clock.now()
  const ran: string[] = []
  control.clock.at(start + 120_000, () => ran.push('second'))
  control.clock.at(start + 60_000, () => {
    ran.push('first')
    control.clock.at(start + 90_000, () => ran.push('armed on the way'))
  })
  const disarm = control.clock.at(start + 61_000, () => ran.push('never'))
  disarm()
  control.clock.at(start + 999_000, () => ran.push('later'))
  control.clock.advance(121_000)
  expect(ran).toEqual(['first', 'armed on the way', 'second'])
  expect(control.clock.now() - start).toBeGreaterThanOrEqual(121_000)
})

test('the control channel is reachable over HTTP and refuses what it does not know', async () => {
  await using echo = await startEcho()
  await using channel = await serveControl([
    { name: 'echo', settings: {}, control: echo.control, [Symbol.asyncDispose]: async () => {} },
  ])
  const post = (path: string, body: unknown) =>
    fetch(`${channel.origin}/echo/${path}`, { method: 'POST', body: JSON.stringify(body) })
  expect((await post('faults', { status: 500 })).status).toBe(204)
  expect((await fetch(echo.origin)).status).toBe(500)
  expect((await post('faults', { stauts: 500 })).status).toBe(400)
  expect((await post('clock', { advanceMs: 5_000 })).status).toBe(204)
  expect(await (await fetch(`${channel.origin}/echo/calls`)).json()).toEqual({ 'GET /': 1 })
  expect(await (await fetch(`${channel.origin}/echo`)).json()).toEqual({ state: { effects: 0 } })
  expect((await fetch(`${channel.origin}/nobody`)).status).toBe(404)
})

test('an emulator offers commands of its own, with checked bodies', async () => {
  class Greeter extends Control {
    override commands() {
      return {
        greet: controlCommand(z.strictObject({ whom: z.string() }), ({ whom }) => `hello ${whom}`),
      }
    }
  }
  using control = new Greeter(() => undefined)
  await using channel = await serveControl([
    { name: 'greeter', settings: {}, control, [Symbol.asyncDispose]: async () => {} },
  ])
  const post = (command: string, body: unknown) =>
    fetch(`${channel.origin}/greeter/commands/${command}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
  expect(await (await post('greet', { whom: 'you' })).json()).toEqual({ answer: 'hello you' })
  expect((await post('greet', { who: 'you' })).status).toBe(400)
  expect((await post('constructor', {})).status).toBe(404)
})
