import { setTimeout as delay } from 'node:timers/promises'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { z } from 'zod'
import { countStored, demo } from './demo.ts'
import { showSystems } from './demo-systems.ts'
import type { FunctionsProcess } from './functions-process.ts'
import type { Stack } from './stack.ts'

export interface DemoView {
  readonly say: (line: string) => void
  /** How many events of the incident log happen in a second. */
  readonly speed: number
  /** Aborted when the stack is to stop. */
  readonly signal: AbortSignal
}

const POLL_MS = 1_000
/** Nothing new for so long means that the store has caught up. */
const STILL_POLLS = 2

/** What a newcomer sees: incidents arriving, then a change on the instance that reaches a phone, then what to try. */
export async function runDemo(
  stack: Stack,
  functions: FunctionsProcess,
  view: DemoView,
): Promise<void> {
  const { control } = stack.serviceNow
  const { say, signal, speed } = view
  if (control.parts.replay) control.startReplay(speed)
  let before: Progress | undefined
  for (let still = 0; still < STILL_POLLS;) {
    if (!(await pause(POLL_MS, signal))) return
    const now = await measure(stack)
    const moved = before === undefined || progressLine(now) !== progressLine(before)
    if (moved) say(progressLine(now))
    still = isComplete(now) && !moved ? still + 1 : 0
    before = now
  }
  await tellPhone(stack, functions, view)
  await showSystems(stack, view)
  say(hints(functions.url))
}

/** False when it was cut short. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal }).catch(() => false)
}

async function measure(stack: Stack): Promise<Progress> {
  const { control } = stack.serviceNow
  const { records, parked } = await countStored(stack)
  const there = control.rows(demo.entityType).length
  return { records, parked, there, replay: control.parts.replay?.progress() }
}

function isComplete({ records, parked, there, replay }: Progress): boolean {
  return records + parked >= there && (!replay || replay.applied >= replay.events)
}

interface Progress {
  readonly records: number
  readonly parked: number
  readonly there: number
  readonly replay: { readonly applied: number; readonly events: number } | undefined
}

function progressLine({ records, parked, there, replay }: Progress): string {
  const share = there === 0 ? 0 : Math.min(1, (records + parked) / there)
  const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.')
  const events = replay
    ? `, ${replay.applied} of ${replay.events} events of the log have happened`
    : ''
  return `incidents [${bar}] ${records} of ${there} in the store, ${parked} parked${events}`
}

/** A person gets an incident on the instance; the business rule posts; the person's phone shows it. */
async function tellPhone(stack: Stack, { url }: FunctionsProcess, view: DemoView): Promise<void> {
  const { control } = stack.serviceNow
  const incident = control.rows(demo.entityType).at(-1)
  const user = control.rows('sys_user').at(-1)?.['sys_id'] ?? 'a-person'
  const sysId = incident?.['sys_id']
  if (sysId === undefined) return
  control.setWebhook({
    url: `${url}/api/servicenow-webhook`,
    secret: stack.settings['WEBHOOK_SECRET'] ?? '',
    functionKey: stack.settings['FUNCTIONS_KEY'] ?? '',
  })
  const { token } = await stack.issuer.control.mint({
    subject: user,
    tenantId: demo.tenantId,
    roles: ['viewer'],
  })
  const phone = new HubConnectionBuilder()
    .withUrl(`${url}/api/signalr-negotiate`, { accessTokenFactory: () => token })
    .configureLogging(LogLevel.None)
    .build()
  const arrived = Promise.withResolvers<unknown>()
  phone.on('notification', (notification: unknown) => {
    arrived.resolve(notification)
  })
  await phone.start()
  const before = performance.now()
  control.update(demo.entityType, sysId, { state: '2', assigned_to: user })
  const seen = await Promise.race([arrived.promise, pause(PATIENCE_MS, view.signal)])
  const took = Math.round(performance.now() - before)
  view.say(
    typeof seen === 'boolean'
      ? 'the notification did not arrive; the lines above say why'
      : `phone: ${describe(seen)} (${took} ms after the change on the instance)`,
  )
  await phone.stop()
}

const PATIENCE_MS = 10_000
const notificationShape = z.object({ type: z.string(), title: z.string(), body: z.string() })

function describe(notification: unknown): string {
  const { type, title, body } = notificationShape.parse(notification)
  return `${type}: ${title}: ${body}`
}

function hints(url: string): string {
  return `
Now try, in another terminal:
  curl ${url}/api/health
  npm run --silent token -- --tenant ${demo.tenantId} --role viewer --user me > /tmp/token
  curl -X POST ${url}/api/signalr-negotiate -H "authorization: Bearer $(cat /tmp/token)"
A stock SignalR client connects with
  new HubConnectionBuilder().withUrl('${url}/api/signalr-negotiate', { accessTokenFactory: () => token })
and hears 'notification'. Ctrl-C stops everything.`
}
