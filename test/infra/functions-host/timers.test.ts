import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { FunctionsHostOptions } from '../../../infra/local/functions-host/functions-host.ts'
import { startFixture } from './start.ts'

const HOUR_MS = 3_600_000
const settings = {
  NIGHTLY: '0 30 3 * * *',
  'AzureWebJobs.off.Disabled': '1',
  'AzureWebJobs.long.Disabled': '1',
}
const start = (options: Partial<FunctionsHostOptions> = {}) =>
  startFixture('timers', { settings, ...options })

const hourAfter = (ms: number) => new Date((Math.floor(ms / HOUR_MS) + 1) * HOUR_MS)
/** The host writes an offset where JavaScript writes Z. */
const written = (time: Date) => time.toISOString().replace('.000Z', '+00:00')

async function temporaryFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), 'functions-host-'))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

test('a timer runs each time the clock passes its schedule, and is told when', async () => {
  await using host = await start()
  const { clock } = host.control
  const first = hourAfter(clock.now())
  clock.advance(HOUR_MS)
  await host.control.finished('hourly')
  clock.advance(HOUR_MS)
  await host.control.finished('hourly', 2)
  const [one, two] = host.told('hourly')
  expect(one).toEqual({
    metadata: null,
    timer: {
      schedule: { adjustForDST: true },
      scheduleStatus: {
        last: '0001-01-01T00:00:00',
        next: written(first),
        lastUpdated: expect.any(String),
      },
      isPastDue: false,
    },
  })
  expect(two).toMatchObject({
    timer: { scheduleStatus: { last: expect.stringMatching(/\+00:00$/) } },
  })
  expect(host.told('off')).toEqual([])
})

test('a schedule may come from a setting, and without a monitor there is no status', async () => {
  await using host = await start()
  host.control.clock.advance(24 * HOUR_MS)
  await host.control.finished('fromSetting')
  expect(host.told('fromSetting')[0]).toMatchObject({
    timer: { scheduleStatus: null, isPastDue: false },
  })
})

test('an interval counts from the run before and knows no daylight saving', async () => {
  await using host = await start()
  const { clock } = host.control
  for (const times of [1, 2, 3]) {
    clock.advance(HOUR_MS / 2)
    await host.control.finished('interval', times)
  }
  expect(host.told('interval')).toHaveLength(3)
  expect(host.told('interval')[0]).toMatchObject({ timer: { schedule: { adjustForDST: false } } })
})

test('runOnStartup runs at the start; a timer can be fired now', async () => {
  await using host = await start()
  await host.control.finished('atStart')
  const result = await host.control.fireTimer('atStart')
  expect([result.outcome, host.told('atStart').length]).toEqual(['succeeded', 2])
  await expect(host.control.fireTimer('release')).rejects.toThrow('no timer function')
})

test('a failing timer goes on being called', async () => {
  await using host = await start({ settings: { ...settings, TIMER_FAILS: 'yes' } })
  for (const times of [1, 2]) {
    host.control.clock.advance(HOUR_MS)
    await host.control.finished('hourly', times, 'failed')
  }
  expect(host.control.invocations()['hourly']).toMatchObject({ failed: 2 })
})

test('one timer never runs twice at once; what it missed meanwhile is made up for once', async () => {
  await using host = await start({
    settings: { NIGHTLY: settings.NIGHTLY, 'AzureWebJobs.off.Disabled': '1' },
  })
  const { clock } = host.control
  const runs = () =>
    host.lines.filter(({ message }) => message === "Executing 'Functions.long'").length
  clock.advance(HOUR_MS)
  clock.advance(HOUR_MS)
  const fired = host.control.fireTimer('long')
  expect(runs()).toBe(1)
  for (const finished of [1, 2, 3]) {
    await host.call('/api/release')
    await host.control.finished('long', finished)
  }
  await fired
  await host.control.idle()
  expect([runs(), host.control.invocations()['long']?.succeeded]).toEqual([3, 3])
})

test('a restarted host runs once what it missed, and says that it is late', async () => {
  await using place = await temporaryFolder()
  const stateFile = path.join(place.folder, 'state', 'timers.json')
  {
    await using host = await start({ stateFile })
    expect(host.control.inspect()).toMatchObject({ nextRuns: { hourly: expect.any(String) } })
  }
  // Time goes by while no host runs: the state is pushed into the past instead.
  await shiftState(stateFile, -5 * HOUR_MS)
  await using late = await start({ stateFile })
  await late.control.finished('hourly')
  expect(late.told('hourly')).toMatchObject([{ timer: { isPastDue: true } }])
})

async function shiftState(file: string, byMs: number): Promise<void> {
  const state: Record<string, Record<string, number>> = JSON.parse(await readFile(file, 'utf8'))
  const shifted = Object.entries(state).map(([name, times]) => [
    name,
    Object.fromEntries(Object.entries(times).map(([key, ms]) => [key, ms && ms + byMs])),
  ])
  await writeFile(file, JSON.stringify(Object.fromEntries(shifted)))
}
