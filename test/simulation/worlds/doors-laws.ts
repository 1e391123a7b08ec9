import type { Document } from '../../../src/core/collection.ts'
import { AppError } from '../../../src/core/errors.ts'
import type { OutgoingMessage } from '../../../src/core/queue.ts'
import type { Take } from '../../../src/rate-limit/bucket.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation } from '../simulation.ts'
import type { Tenant } from './doors-tenants.ts'

interface Owned extends Document {
  readonly tenantId?: string
  readonly registrationId?: string
  readonly body?: unknown
}

/** Whose words stand where. */
export function doorsLaws(sim: Simulation, tenants: readonly Tenant[]) {
  const ownerOf = (tenantId: string | undefined) => tenants.find(({ id }) => id === tenantId)
  const ownerOfRegistration = (registrationId: string | undefined) =>
    tenants.find((one) => one.registrationId === registrationId)
  /** Nobody's words but his. */
  const isOnlyOf = (owner: Tenant | undefined, text: string, where: string) => {
    const others = tenants.filter((one) => one !== owner && text.includes(one.canary))
    for (const other of others) {
      const whom = owner ? JSON.stringify(owner.id.slice(0, 20)) : 'nobody'
      sim.violate(8, `${where} of ${whom} holds words of ${JSON.stringify(other.id.slice(0, 20))}`)
    }
    if (tenants.some(({ secret }) => text.includes(secret))) {
      sim.violate(10, `${where} holds a secret`)
    }
  }
  const deliveries = new Map<string, Tenant | undefined>()
  const sent: { readonly tenantId: string; readonly deliveryId: string }[] = []
  const keys = new Map<string, string>()
  let records = 0
  return {
    committed:
      (name: string) =>
      <T extends Owned>({ partition, changes }: Commit<T>) => {
        for (const { after } of changes) {
          const owner = ownerOf(after.tenantId) ?? ownerOfRegistration(after.registrationId)
          if (name === 'deliveries') deliveries.set(after.id, owner)
          if (name === 'shards') records += 1
          isOnlyOf(owner, textOf(after), `a document of ${name}`)
          const [home] = partition
          if (home !== owner?.id && home !== owner?.registrationId) {
            sim.violate(8, `a document of ${name} lies with ${home?.slice(0, 20)}`)
          }
        }
      },
    messagesAccepted: (messages: readonly OutgoingMessage[]) => {
      for (const { body, correlationId = '' } of messages) {
        const tenantId = String(Reflect.get(body, 'tenantId'))
        sent.push({ tenantId, deliveryId: correlationId })
        isOnlyOf(ownerOf(tenantId), JSON.stringify(body), 'a message')
      }
    },
    logged: (message: string, fields: object = {}) => {
      const [tenantId, registrationId] = [
        Reflect.get(fields, 'tenantId'),
        Reflect.get(fields, 'registrationId'),
      ].map((part: unknown) => (typeof part === 'string' ? part : undefined))
      const owner = ownerOf(tenantId) ?? ownerOfRegistration(registrationId)
      isOnlyOf(owner, message + JSON.stringify(fields), 'a line of the log')
    },
    /** Limits that no tenant shares with another. */
    taken: ({ tenant, gates, keys: of }: Take) => {
      if (tenant === '') return
      const own = gates.flatMap((gate) =>
        gate.kind === 'budget' || (!gate.shared && !gate.learns) ? [gate.key] : [],
      )
      for (const key of [...own, of.queue, of.share]) {
        const before = keys.get(key) ?? tenant
        keys.set(key, tenant)
        if (before !== tenant) sim.violate(8, `two tenants share the limit ${key.slice(0, 80)}`)
      }
    },
    /** A tenant's people were answered; `whose` is whose thing they had asked for. */
    answered: (who: Tenant, answer: unknown, asked: { what: string; whose: Tenant }) => {
      const { what, whose } = asked
      if (answer instanceof Error) {
        if (!(answer instanceof AppError)) sim.violate(8, `${what}: ${String(answer)}`)
        return isOnlyOf(who, answer.message, `the refusal of ${what}`)
      }
      isOnlyOf(who, textOf(answer), `the answer to ${what}`)
      if (who !== whose) sim.violate(8, `${what} of another tenant was answered`)
    },
    /** An access token that was given out. */
    given: (token: string, expected: string) => {
      if (token === `access ${expected}`) return
      sim.violate(8, `a phone that is ${expected} was given the token ${token}`)
    },
    called: (url: string, grant: string, actor: Actor) => {
      const { origin } = new URL(url)
      sim.note(actor.name, `refreshes at ${origin}`)
      if (tenants.every((one) => one.origin !== origin)) {
        sim.violate(10, `${origin} was called, which nobody has registered`)
      }
      if (!grant.endsWith(`|${origin}`)) sim.violate(10, `a grant was shown to ${origin}: ${grant}`)
    },
    examine: (blobs: ReadonlyMap<string, Uint8Array>) => {
      for (const { tenantId, deliveryId } of sent) {
        const owner = deliveries.get(deliveryId)
        if (owner && owner.id !== tenantId) {
          sim.violate(8, `a delivery of ${owner.id} became work of ${tenantId}`)
        }
      }
      for (const [name, bytes] of blobs) {
        const owner = tenants.find(({ id, registrationId }) =>
          name.startsWith(`${id}/${registrationId}/`),
        )
        isOnlyOf(owner, Buffer.from(bytes).toString('utf8'), 'a blob')
      }
      if (sent.length > 0 && records === 0) sim.violate(5, 'nothing came of what was posted')
    },
  }
}

/** Everything that it says, also where it is wrapped up. */
function textOf(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  const wrapped = [...text.matchAll(/"base64":"([^"]*)"/g)].map(([, base64 = '']) =>
    Buffer.from(base64, 'base64').toString('utf8'),
  )
  return [text, ...wrapped].join('\n')
}
