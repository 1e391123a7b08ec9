import { z } from 'zod'
import {
  deliveryFilterShape,
  listDeliveries,
  replayDeliveries,
  replayDelivery,
  showDelivery,
} from '../../webhooks/deliveries.ts'
import { listRegistrations, showRegistration } from '../../webhooks/registration-view.ts'
import {
  addSecret,
  changeRegistration,
  createRegistration,
  newRegistrationShape,
  newSecretShape,
  registrationChangesShape,
  retireRegistration,
  retireSecret,
} from '../../webhooks/registrations.ts'
import { testRegistration } from '../../webhooks/self-test.ts'
import { newSubscriptionShape, showSubscription, subscribe } from '../../webhooks/subscriptions.ts'
import { operation, type Call } from './operation.ts'

const DAY_MINUTES = 24 * 60

const changeOf = ({ caller, params, etag }: Call) => ({
  tenantId: caller.tenantId,
  id: params['id'] ?? '',
  etag,
})

export const webhookOperations = [
  operation('GET webhook-registrations', {
    summary: 'Registrations, those that are retired among them',
    role: 'viewer',
    run: async ({ app, caller }) => ({
      data: await listRegistrations(await app.webhookManagement(), caller.tenantId),
    }),
  }),
  operation('POST webhook-registrations', {
    summary: 'Makes a registration, whose URL the sender is to call; secrets never come back',
    role: 'admin',
    status: 201,
    body: newRegistrationShape,
    run: async ({ app, caller }, { body }) => {
      const ports = await app.webhookManagement()
      const { registration, etag } = await createRegistration(ports, caller.tenantId, body)
      return { data: registration, etag, location: `webhook-registrations/${registration.id}` }
    },
  }),
  operation('GET webhook-registrations/{id}', {
    summary: 'One registration, and how often each of its secrets was used',
    role: 'viewer',
    run: async ({ app, caller, params }) => {
      const ports = await app.webhookManagement()
      const { registration, etag } = await showRegistration(
        ports,
        caller.tenantId,
        params['id'] ?? '',
      )
      return { data: registration, etag }
    },
  }),
  operation('PATCH webhook-registrations/{id}', {
    summary: 'Changes what is taken and how much of it; fields that are not named stay as they are',
    role: 'admin',
    body: registrationChangesShape,
    run: async (call, { body }) => {
      const ports = await call.app.webhookManagement()
      const { registration, etag } = await changeRegistration(ports, changeOf(call), body)
      return { data: registration, etag }
    },
  }),
  operation('DELETE webhook-registrations/{id}', {
    summary: 'Retires a registration: what is sent to it is refused from now on',
    role: 'admin',
    run: async (call) => {
      const ports = await call.app.webhookManagement()
      const { registration, etag } = await retireRegistration(ports, changeOf(call))
      return { data: registration, etag }
    },
  }),
  operation('POST webhook-registrations/{id}/secrets', {
    summary: 'Adds a secret beside those that are accepted',
    role: 'admin',
    status: 201,
    body: newSecretShape,
    run: async (call, { body }) => {
      const ports = await call.app.webhookManagement()
      const { registration, etag } = await addSecret(ports, changeOf(call), body.secret)
      return { data: registration, etag, location: `webhook-registrations/${registration.id}` }
    },
  }),
  operation('DELETE webhook-registrations/{id}/secrets/{secretId}', {
    summary: 'Retires a secret, at once or later, and lists what it let in',
    role: 'admin',
    query: z.object({
      /** Accepted for so long still. */
      afterMinutes: z.coerce
        .number()
        .int()
        .min(0)
        .max(7 * DAY_MINUTES)
        .default(0),
      /** How far back to list what the secret let in. */
      hours: z.coerce.number().int().min(1).max(720).default(24),
    }),
    run: async (call, { query: { afterMinutes, hours } }) => {
      const secretId = call.params['secretId'] ?? ''
      const { registration, etag, accepted } = await retireSecret(
        await call.app.webhookManagement(),
        changeOf(call),
        { secretId, afterMs: afterMinutes * 60_000, hours },
      )
      return { data: { registration, accepted }, etag }
    },
  }),
  operation('PUT webhook-registrations/{id}/subscription', {
    summary: 'Subscribes at the vendor, and renews it from then on',
    role: 'admin',
    status: 202,
    body: newSubscriptionShape,
    run: async ({ app, caller, params }, { body }) => {
      const of = { tenantId: caller.tenantId, id: params['id'] ?? '' }
      return { data: await subscribe(await app.webhookManagement(), of, body) }
    },
  }),
  operation('GET webhook-registrations/{id}/subscription', {
    summary: 'The subscription at the vendor, and what is missing in it',
    role: 'viewer',
    run: async ({ app, caller, params }) => ({
      data: await showSubscription(
        await app.webhookManagement(),
        caller.tenantId,
        params['id'] ?? '',
      ),
    }),
  }),
  operation('POST webhook-registrations/{id}/test', {
    summary: 'Sends itself a signed event and says whether it would be taken',
    role: 'operator',
    run: async ({ app, caller, params }) => ({
      data: await testRegistration(
        await app.webhookManagement(),
        caller.tenantId,
        params['id'] ?? '',
      ),
    }),
  }),
  operation('GET deliveries', {
    summary: 'What came in, the latest first',
    role: 'viewer',
    query: deliveryFilterShape,
    run: async ({ app, caller }, { query }) => {
      const ports = await app.webhookManagement()
      const { deliveries, nextCursor } = await listDeliveries(ports, caller.tenantId, query)
      return { data: deliveries, limit: query.limit, nextCursor }
    },
  }),
  operation('GET deliveries/{id}', {
    summary: 'One delivery with its body',
    role: 'viewer',
    run: async ({ app, caller, params }) => ({
      data: await showDelivery(await app.webhookManagement(), caller.tenantId, params['id'] ?? ''),
    }),
  }),
  operation('POST deliveries/replay', {
    summary: 'Takes all that match in again, a page at a time; a dry run only lists them',
    role: 'operator',
    status: 202,
    body: z.strictObject({ filter: deliveryFilterShape, dryRun: z.boolean().default(true) }),
    run: async ({ app, caller }, { body: { filter, dryRun } }) => {
      const ports = await app.webhookManagement()
      const of = { filter, isDry: dryRun }
      const { replayed, nextCursor } = await replayDeliveries(ports, caller.tenantId, of)
      return { ...sentUnless(dryRun), data: replayed, limit: filter.limit, nextCursor }
    },
  }),
  operation('POST deliveries/{id}/replay', {
    summary: 'Takes one in again',
    role: 'operator',
    status: 202,
    body: z.strictObject({ dryRun: z.boolean().default(false) }).prefault({}),
    run: async ({ app, caller, params }, { body: { dryRun } }) => {
      const ports = await app.webhookManagement()
      const of = { id: params['id'] ?? '', isDry: dryRun }
      return { ...sentUnless(dryRun), data: await replayDelivery(ports, caller.tenantId, of) }
    },
  }),
]

/** Nothing is queued by a dry run. */
function sentUnless(isDry: boolean): { readonly status?: 200 } {
  return isDry ? { status: 200 } : {}
}
