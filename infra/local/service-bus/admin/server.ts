import type { Control } from '../../control.ts'
import {
  serveHttp,
  type HttpServer,
  type LocalRequest,
  type LocalResponse,
} from '../../http-server.ts'
import type { Broker, Entity } from '../broker.ts'
import { verifySignature, type SharedKey } from '../sas.ts'
import {
  declarationFrom,
  defaultDeclaration,
  describe,
  readFields,
  type Fields,
} from './description.ts'

export interface AdminServerOptions {
  readonly broker: Broker
  readonly control: Control
  readonly sharedKey: SharedKey
  readonly port: number
  readonly latencyMs: number
}

interface Admin {
  readonly broker: Broker
  readonly sharedKey: SharedKey
  /** What a queue's creator said that the emulator only repeats. */
  readonly kept: WeakMap<Entity, Fields>
}

const SERVICE_BUS = 'http://schemas.microsoft.com/netservices/2010/10/servicebus/connect'
const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance'
const ATOM = 'http://www.w3.org/2005/Atom'
const LARGEST_PAGE = 100

/** The admin REST API for queues, in Atom (Azure, "Service Bus resource provider REST API", api-version 2021-05). */
export function serveAdmin(options: AdminServerOptions): Promise<HttpServer> {
  const admin: Admin = {
    broker: options.broker,
    sharedKey: options.sharedKey,
    kept: new WeakMap(),
  }
  return serveHttp({
    port: options.port,
    latencyMs: options.latencyMs,
    control: options.control,
    operation: ({ method, url }) => `admin ${method} ${nameIn(url)}`,
    handle: (request) => answer(admin, request),
  })
}

function nameIn(url: URL): string {
  return decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '')
}

function answer(admin: Admin, request: LocalRequest): LocalResponse {
  const { method, url, headers } = request
  const token = headers['authorization'] ?? ''
  if (verifySignature(token, admin.sharedKey, Date.now()) === undefined) {
    return failure(401, 'The token has an invalid signature.')
  }
  const name = nameIn(url)
  if (name.startsWith('$')) {
    return method === 'GET' ? collection(admin, name.toLowerCase(), url) : failure(405, method)
  }
  switch (method) {
    case 'GET':
      return withEntity(admin, name, (entity) => success(200, entry(admin, entity, url)))
    case 'PUT':
      return headers['if-match'] === undefined
        ? create(admin, name, request)
        : withEntity(admin, name, (entity) => update(admin, entity, request))
    case 'DELETE':
      return withEntity(admin, name, (entity) => {
        admin.broker.delete(entity)
        return { status: 200 }
      })
    default:
      return failure(405, `${method} is not supported.`)
  }
}

function withEntity(
  admin: Admin,
  name: string,
  act: (entity: Entity) => LocalResponse,
): LocalResponse {
  const entity = admin.broker.find(name)
  return entity ? act(entity) : failure(404, `The messaging entity '${name}' could not be found.`)
}

function create(admin: Admin, name: string, { body, url }: LocalRequest): LocalResponse {
  if (admin.broker.find(name)) return failure(409, `The messaging entity '${name}' already exists.`)
  if (!body.includes('<QueueDescription')) return failure(400, 'Only queues are emulated.')
  const fields = readFields(body.toString())
  const declaration = declarationFrom(fields, defaultDeclaration(name))
  if ('problem' in declaration) return failure(400, declaration.problem)
  const entity = admin.broker.create(declaration)
  if (!entity) return failure(409, `The messaging entity '${name}' already exists.`)
  admin.kept.set(entity, fields)
  return success(201, entry(admin, entity, url))
}

function update(admin: Admin, entity: Entity, { body, url }: LocalRequest): LocalResponse {
  const fields = readFields(body.toString())
  const declaration = declarationFrom(fields, entity.declaration)
  if ('problem' in declaration) return failure(400, declaration.problem)
  if (declaration.requiresSession !== entity.declaration.requiresSession) {
    return failure(400, 'RequiresSession cannot be changed.')
  }
  admin.broker.update(entity, declaration)
  admin.kept.set(entity, fields)
  return success(200, entry(admin, entity, url))
}

function collection(admin: Admin, name: string, url: URL): LocalResponse {
  switch (name) {
    case '$namespaceinfo':
      return success(200, namespaceInfo(url))
    case '$resources/queues':
      return success(200, feed(admin, admin.broker.entities(), url))
    case '$resources/topics':
      return success(200, feed(admin, [], url))
    default:
      return failure(404, `There is no resource '${name}'.`)
  }
}

function feed(admin: Admin, entities: readonly Entity[], url: URL): string {
  const skip = Number(url.searchParams.get('$skip') ?? 0)
  const top = Math.min(Number(url.searchParams.get('$top') ?? LARGEST_PAGE), LARGEST_PAGE)
  const page = entities.slice(skip, skip + top)
  const rest =
    skip + top < entities.length ? link('next', nextPage(url, { skip: skip + top, top })) : ''
  return [
    `<feed xmlns="${ATOM}"><title type="text">Queues</title><id>${escape(url.href)}</id>`,
    `<updated>${new Date().toISOString()}</updated>${link('self', url.href)}${rest}`,
    ...page.map((entity) => entry(admin, entity, url)),
    '</feed>',
  ].join('')
}

function nextPage(url: URL, page: { readonly skip: number; readonly top: number }): string {
  const next = new URL(url)
  next.searchParams.set('$skip', String(page.skip))
  next.searchParams.set('$top', String(page.top))
  return next.href
}

function entry(admin: Admin, entity: Entity, { origin }: URL): string {
  const { name } = entity.declaration
  const description = describe(entity, admin.kept.get(entity) ?? new Map())
  return element({
    id: `${origin}/${name.split('/').map(encodeURIComponent).join('/')}?api-version=2021-05`,
    title: name,
    content: `<QueueDescription xmlns="${SERVICE_BUS}" xmlns:i="${INSTANCE}">${description}</QueueDescription>`,
  })
}

function namespaceInfo({ origin }: URL): string {
  const now = new Date().toISOString()
  return element({
    id: `${origin}/$namespaceinfo?api-version=2021-05`,
    title: 'syncline',
    content: `<NamespaceInfo xmlns="${SERVICE_BUS}" xmlns:i="${INSTANCE}"><CreatedTime>${now}</CreatedTime><MessagingSKU>Standard</MessagingSKU><ModifiedTime>${now}</ModifiedTime><Name>syncline</Name><NamespaceType>Messaging</NamespaceType></NamespaceInfo>`,
  })
}

function element(parts: {
  readonly id: string
  readonly title: string
  readonly content: string
}): string {
  const now = new Date().toISOString()
  return [
    `<entry xmlns="${ATOM}"><id>${escape(parts.id)}</id><title type="text">${escape(parts.title)}</title>`,
    `<published>${now}</published><updated>${now}</updated>${link('self', parts.id)}`,
    `<content type="application/xml">${parts.content}</content></entry>`,
  ].join('')
}

function link(rel: string, href: string): string {
  return `<link rel="${rel}" href="${escape(href)}"/>`
}

function success(status: number, xml: string): LocalResponse {
  return { status, headers: { 'content-type': 'application/atom+xml;charset=utf-8' }, body: xml }
}

function failure(status: number, detail: string): LocalResponse {
  const body = `<Error><Code>${status}</Code><Detail>${escape(detail)}</Detail></Error>`
  return { status, headers: { 'content-type': 'application/xml; charset=utf-8' }, body }
}

/** By name: the SDK's parser leaves numeric references as they are. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
}
