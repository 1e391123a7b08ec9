import { expect, test } from 'vitest'
import { startRunning } from './running.ts'

test.for<['signalR' | 'keyVault', string, number, string]>([
  ['signalR', 'signalR', 200, 'degraded'],
  ['keyVault', 'keyVault', 503, 'unhealthy'],
])('without %s the answer is %s', async ([emulator, service, status, word]) => {
  await using running = await startRunning()
  await using functions = await running.startFunctions()
  running.stack[emulator].control.fail({ times: 1_000, status: 500 })
  const answer = await fetch(`${functions.url}/api/health`)
  expect([answer.status, await answer.json()]).toMatchObject([
    status,
    { status: word, services: { [service]: 'down', cosmos: 'up' } },
  ])
  expect((await fetch(`${functions.url}/health/live`)).status).toBe(200)
  expect((await fetch(`${functions.url}/health/ready`)).status).toBe(status)
})
