import { z } from 'zod'
import type { HttpRequest } from '@azure/functions'
import type { App } from '../app.ts'
import {
  addSecret,
  changeRegistration,
  createRegistration,
  newRegistrationShape,
  newSecretShape,
  registrationChangesShape,
  retireRegistration,
  retireSecret,
  type Change,
} from '../webhooks/registrations.ts'
import { listRegistrations, showRegistration } from '../webhooks/registration-view.ts'
import { testRegistration } from '../webhooks/self-test.ts'
import { newSubscriptionShape, showSubscription, subscribe } from '../webhooks/subscriptions.ts'
import type { FunctionApp } from './host.ts'
import { parseBody, readBytes } from './http.ts'
import { ifMatch, managed, queryOf } from './management.ts'

const ROUTE = 'api/v1/webhook-registrations'
const BODY_LIMIT = 64 * 1024
const retirementShape = z.object({
  /** Accepted for so long still. */
  afterMinutes: z.coerce.number().int().min(0).max(10_080).default(0),
  /** How far back to list what the secret let in. */
  hours: z.coerce.number().int().min(1).max(720).default(24),
})

function changeOf(request: HttpRequest, tenantId: string): Change {
  return { tenantId, id: idOf(request), etag: ifMatch(request) }
}

function idOf(request: HttpRequest): string {
  return request.params['id'] ?? ''
}

export function registerWebhookRegistrations(host: FunctionApp, app: App): void {
  const http = (name: string, method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', more = '') => ({
    name: `webhook-registrations-${name}`,
    options: { methods: [method], authLevel: 'anonymous' as const, route: `${ROUTE}${more}` },
  })
  const add = (
    { name, options }: ReturnType<typeof http>,
    handler: ReturnType<typeof managed>,
  ): void => {
    host.http(name, { ...options, handler })
  }

  add(
    http('create', 'POST'),
    managed(app, 'change', async (request, { tenantId }) => {
      const wanted = parseBody(await readBytes(request, BODY_LIMIT), newRegistrationShape)
      const { registration, etag } = await createRegistration(
        await app.webhookManagement(),
        tenantId,
        wanted,
      )
      const location = `/${ROUTE}/${registration.id}`
      return { status: 201, data: registration, etag, location }
    }),
  )
  add(
    http('list', 'GET'),
    managed(app, 'read', async (_request, { tenantId }) => ({
      data: await listRegistrations(await app.webhookManagement(), tenantId),
    })),
  )
  add(
    http('show', 'GET', '/{id}'),
    managed(app, 'read', async (request, { tenantId }) => {
      const ports = await app.webhookManagement()
      const { registration, etag } = await showRegistration(ports, tenantId, idOf(request))
      return { data: registration, etag }
    }),
  )
  add(
    http('change', 'PATCH', '/{id}'),
    managed(app, 'change', async (request, { tenantId }) => {
      const wanted = parseBody(await readBytes(request, BODY_LIMIT), registrationChangesShape)
      const ports = await app.webhookManagement()
      const change = changeOf(request, tenantId)
      const { registration, etag } = await changeRegistration(ports, change, wanted)
      return { data: registration, etag }
    }),
  )
  add(
    http('retire', 'DELETE', '/{id}'),
    managed(app, 'change', async (request, { tenantId }) => {
      const ports = await app.webhookManagement()
      const { registration, etag } = await retireRegistration(ports, changeOf(request, tenantId))
      return { data: registration, etag }
    }),
  )
  add(
    http('add-secret', 'POST', '/{id}/secrets'),
    managed(app, 'change', async (request, { tenantId }) => {
      const { secret } = parseBody(await readBytes(request, BODY_LIMIT), newSecretShape)
      const ports = await app.webhookManagement()
      const change = changeOf(request, tenantId)
      const { registration, etag } = await addSecret(ports, change, secret)
      return { status: 201, data: registration, etag }
    }),
  )
  add(
    http('retire-secret', 'DELETE', '/{id}/secrets/{secretId}'),
    managed(app, 'change', async (request, { tenantId }) => {
      const { afterMinutes, hours } = queryOf(request, retirementShape)
      const { registration, etag, accepted } = await retireSecret(
        await app.webhookManagement(),
        changeOf(request, tenantId),
        { secretId: request.params['secretId'] ?? '', afterMs: afterMinutes * 60_000, hours },
      )
      return { data: { registration, accepted }, etag }
    }),
  )
  add(
    http('subscribe', 'PUT', '/{id}/subscription'),
    managed(app, 'change', async (request, { tenantId }) => {
      const wanted = parseBody(await readBytes(request, BODY_LIMIT), newSubscriptionShape)
      const ports = await app.webhookManagement()
      return { status: 202, data: await subscribe(ports, { tenantId, id: idOf(request) }, wanted) }
    }),
  )
  add(
    http('show-subscription', 'GET', '/{id}/subscription'),
    managed(app, 'read', async (request, { tenantId }) => ({
      data: await showSubscription(await app.webhookManagement(), tenantId, idOf(request)),
    })),
  )
  add(
    http('test', 'POST', '/{id}/test'),
    managed(app, 'run', async (request, { tenantId }) => ({
      data: await testRegistration(await app.webhookManagement(), tenantId, idOf(request)),
    })),
  )
}
