import { expect, test } from 'vitest'
import { startFixture } from './start.ts'
import { packageJson, writeApp } from './write-app.ts'

const hooked = `
import { app } from '@azure/functions'
const order = (globalThis.hookOrder = [])
app.hook.appStart((context) => { order.push('appStart'); context.hookData.seen = true })
app.hook.preInvocation((context) => {
  order.push('pre ' + context.invocationContext.functionName)
  context.hookData.word = 'kept'
  const original = context.functionHandler
  context.functionHandler = async (...given) => ({ ...(await original(...given)), headers: { 'x-wrapped': 'yes' } })
})
app.hook.postInvocation((context) => {
  order.push('post ' + context.hookData.word + ' ' + (context.error?.message ?? 'fine'))
  if (context.error?.message === 'forgiven') { context.error = null; context.result = { status: 299 } }
})
app.hook.postInvocation(() => { order.push('second post') })
app.hook.appTerminate(() => { order.push('appTerminate') })
app.hook.log((context) => {
  if (context.category === 'user') context.message = context.message.replace('secret', '***')
})
app.get('fine', async (_request, context) => { order.push('run'); context.log('a secret'); return { body: 'ok' } })
app.get('forgiven', async () => { throw new Error('forgiven') })
app.get('refused', async () => { throw new Error('refused') })
`

test('hooks run in the order of the worker and may change handler, result, error and log', async () => {
  await using app = await writeApp({ 'package.json': packageJson('main.js'), 'main.js': hooked })
  const order = () => Reflect.get(globalThis, 'hookOrder')
  {
    await using host = await startFixture('http', { root: app.root })
    expect(order()).toEqual(['appStart'])
    const fine = await host.call('/api/fine')
    expect([fine.headers.get('x-wrapped'), await fine.text()]).toEqual(['yes', 'ok'])
    expect(order().splice(0)).toEqual([
      'appStart',
      'pre fine',
      'run',
      'post kept fine',
      'second post',
    ])
    expect((await host.call('/api/forgiven')).status).toBe(299)
    expect((await host.call('/api/refused')).status).toBe(500)
    expect(host.lines.map(({ message }) => message)).toContain('a ***')
  }
  expect(order().at(-1)).toBe('appTerminate')
  Reflect.deleteProperty(globalThis, 'hookOrder')
})

const holding = `
import { app } from '@azure/functions'
app.get('hold', async () => {
  await new Promise((resolve) => { globalThis.letGo = resolve; globalThis.isHeld() })
  return { body: 'done' }
})
`

test('a stop waits for what runs, takes nothing new, and then ends', async () => {
  await using app = await writeApp({ 'package.json': packageJson('main.js'), 'main.js': holding })
  const held = new Promise<void>((resolve) => Object.assign(globalThis, { isHeld: resolve }))
  const host = await startFixture('http', { root: app.root })
  const running = host.call('/api/hold')
  await held
  const stopping = host[Symbol.asyncDispose]()
  await expect(host.call('/api/hold')).rejects.toThrow()
  Reflect.get(globalThis, 'letGo')()
  expect(await (await running).text()).toBe('done')
  await stopping
  for (const name of ['isHeld', 'letGo']) Reflect.deleteProperty(globalThis, name)
})
