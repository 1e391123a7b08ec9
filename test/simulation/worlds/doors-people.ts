import type { Connection } from '../../../src/core/connection.ts'
import type { CredentialAccess } from '../../../src/credentials/access.ts'
import { refreshForDevice, type DevicePorts } from '../../../src/credentials/device.ts'
import type { Limiter } from '../../../src/rate-limit/limiter.ts'
import { listDeliveries, replayDelivery, showDelivery } from '../../../src/webhooks/deliveries.ts'
import type { WebhookPorts } from '../../../src/webhooks/ports.ts'
import type { WebhookReceiver } from '../../../src/webhooks/receive.ts'
import { listRegistrations, showRegistration } from '../../../src/webhooks/registration-view.ts'
import { changeRegistration, type RegistrationPorts } from '../../../src/webhooks/registrations.ts'
import { calling } from '../../webhooks/receiver-world.ts'
import type { MemoryVendor } from '../memory-vendor.ts'
import type { Instance } from '../instances.ts'
import type { Actor, Simulation } from '../simulation.ts'
import { between, START_MS } from '../world.ts'
import type { doorsLaws } from './doors-laws.ts'
import { grantOf, INTEGRATION, USERS, type Tenant } from './doors-tenants.ts'

const HOUR_MS = 3_600_000
const LARGE = 'x'.repeat(70_000)

/** A process with everything that it keeps in memory for all tenants together. */
export interface Process {
  readonly actor: Actor
  readonly receiver: WebhookReceiver
  readonly management: WebhookPorts & RegistrationPorts
  readonly device: DevicePorts
  readonly access: CredentialAccess
  readonly limits: Limiter
}

export interface Plot {
  readonly sim: Simulation
  readonly tenants: readonly Tenant[]
  readonly vendors: ReadonlyMap<Tenant, MemoryVendor>
  readonly processes: readonly Instance<Process>[]
  readonly laws: ReturnType<typeof doorsLaws>
  readonly deliveries: () => readonly { readonly id: string; readonly registrationId: string }[]
}

interface Turn {
  readonly plot: Plot
  readonly label: string
  readonly chance: (what: string) => number
  readonly who: Tenant
  /** Somebody whose things are named: often oneself. */
  readonly whose: Tenant
  readonly process: Process
}

type Door = (turn: Turn) => Promise<void>

/** Everybody knocks at every door, with their own names and with those of others. */
export function playPeople(plot: Plot): void {
  const { sim, tenants, processes } = plot
  const count = between(sim.faults, 'knocks', [8, 40])
  for (let index = 0; index < count; index += 1) {
    const label = `knock ${index}`
    const chance = (what: string) => sim.faults.chance(`${label} ${what}`)
    const any = (what: string) => tenants[Math.floor(chance(what) * tenants.length)]
    sim.act(START_MS + chance('at') * HOUR_MS, `act ${label}`, () => {
      const [who, other] = [any('who'), any('whose')]
      const { serves: process } = processes[Math.floor(chance('process') * processes.length)] ?? {}
      const door = doors[Math.floor(chance('door') * doors.length)]
      if (!who || !other || !process || !door) return
      const whose = chance('own') < 0.5 ? who : other
      void door({ plot, label, chance, who, whose, process })
    })
  }
}

/** What happened in a vendor's system, told at an address with a signature: of the address's tenant, or of another. */
const post: Door = async ({ plot, label, chance, who, whose, process: { receiver, actor } }) => {
  const vendor = plot.vendors.get(who)
  if (!vendor) return
  const [row = vendor.create({ short_description: who.canary, state: 1 })] = vendor.alive()
  vendor.edit(row.id, { short_description: `${who.canary} ${label}` })
  const { time, count } = vendor.get(row.id) ?? row
  const body = JSON.stringify({
    event_type: `incident.${who.canary}`,
    table: 'incident',
    operation: 'update',
    record: {
      sys_id: row.id,
      sys_updated_on: time.slice(0, 19).replace('T', ' '),
      sys_mod_count: String(count),
      title: who.canary,
      padding: chance('large') < 0.1 ? LARGE : '',
    },
  })
  const { registrationId } = whose
  // An hour off or not: every tenant's deliveries have the same ids.
  const call = calling(body, {
    secret: who.secret,
    registrationId,
    id: 'evt-1',
    now: actor.clock(),
  })
  const receipt = await receiver.receive(call).catch(failure)
  plot.sim.note(actor.name, `${who.canary} posts to ${whose.canary}`)
  if (receipt instanceof Error || receipt.kind !== 'accepted') return
  plot.laws.answered(who, receipt, { what: 'a signature', whose })
}

/** A phone asks for a token, under its person's name or another's, of its own instance or another's. */
const ask: Door = async ({ plot, chance, who, whose, process }) => {
  const [user, other] = chance('user') < 0.7 ? USERS : USERS.toReversed()
  const userSysId = chance('as') < 0.8 ? user : other
  const instanceUrl =
    chance('odd') < 0.8 ? whose.origin : `https://acme.service-now.com.evil.example`
  const caller = { tenantId: who.id, userId: user ?? '' }
  const request = { caller, userSysId: userSysId ?? '', instanceUrl }
  const token = await refreshForDevice(process.device, process.access, request).catch(failure)
  const told = token instanceof Error ? token.message : 'a token'
  plot.sim.note(
    process.actor.name,
    `${who.canary} asks for ${whose.canary} ${userSysId} and gets ${told}`,
  )
  if (token instanceof Error) return
  plot.laws.given(token.accessToken, grantOf(who, user ?? ''))
}

interface Reading {
  readonly what: string
  /** Whether it names a thing of somebody's, who alone may see it. */
  readonly names: boolean
  readonly read: (turn: Turn) => Promise<unknown>
}

const readings: readonly Reading[] = [
  {
    what: 'the list of registrations',
    names: false,
    read: ({ process: { management }, who }) => listRegistrations(management, who.id),
  },
  {
    what: 'a registration',
    names: true,
    read: ({ process: { management }, who, whose }) =>
      showRegistration(management, who.id, whose.registrationId),
  },
  {
    what: 'a change of a registration',
    names: true,
    read: ({ process: { management }, who, whose }) =>
      changeRegistration(
        management,
        { tenantId: who.id, id: whose.registrationId },
        { requestsPerMinute: 60_000 },
      ),
  },
  {
    what: 'the list of deliveries',
    names: false,
    read: ({ process: { management }, who, whose, chance }) =>
      listDeliveries(management, who.id, {
        limit: 20,
        ...(chance('of one') < 0.5 ? { registrationId: whose.registrationId } : {}),
      }),
  },
]

const read: Door = async (turn) => {
  const { plot, chance, who, whose, process } = turn
  const delivery = plot.deliveries().find((one) => one.registrationId === whose.registrationId)
  const reading = readings[Math.floor(chance('reading') * readings.length)]
  if (!reading) return
  const answer = await reading.read(turn).catch(failure)
  plot.laws.answered(who, answer, { what: reading.what, whose: reading.names ? whose : who })
  plot.sim.note(process.actor.name, `${who.canary} reads ${reading.what} of ${whose.canary}`)
  if (!delivery) return
  const { id } = delivery
  const shown = await showDelivery(process.management, who.id, id).catch(failure)
  plot.laws.answered(who, shown, { what: 'a delivery', whose })
  if (chance('again') < 0.5) return
  const again = { id, isDry: false }
  const replayed = await replayDelivery(process.management, who.id, again).catch(failure)
  plot.laws.answered(who, replayed, { what: 'a replay', whose })
}

/** A call to a vendor asks for leave. */
const limit: Door = async ({ process: { limits }, who, chance }) => {
  await limits.checkRateLimit({
    integrationId: INTEGRATION,
    operation: 'fetch',
    tenantId: who.id,
    connectionId: who.connectionId satisfies Connection['id'],
    lane: chance('lane') < 0.5 ? 'webhook' : 'backfill',
  })
}

const doors: readonly Door[] = [post, post, post, ask, ask, read, read, limit]

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
