import { z } from 'zod'
import { errorCodes } from '../../core/errors.ts'
import { idOf } from '../../core/ids.ts'
import type { Operation } from './operation.ts'

/** OpenAPI 3.1 of the operations, made from the shapes that check what comes in. */
export function openApi(operations: readonly Operation[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of operations) {
    const path = `/api/v1/${operation.path}`
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Syncline management', version },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: {
        ...sharedSchemas(operations),
        Pagination: {
          type: 'object',
          required: ['limit'],
          properties: {
            limit: { type: 'integer' },
            nextCursor: { type: 'string' },
            total: { type: 'integer' },
          },
        },
        Error: {
          type: 'object',
          required: ['success', 'error'],
          properties: {
            success: { const: false },
            error: {
              type: 'object',
              required: ['code', 'message'],
              properties: {
                code: { enum: errorCodes },
                message: { type: 'string' },
                details: { type: 'array', items: { type: 'string' } },
              },
            },
          },
        },
      },
    },
  }
}

function describe(operation: Operation): object {
  const { method, path, summary, role, status, query, body } = operation
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const inPath = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  return {
    operationId: `${method.toLowerCase()}-${path.replace(/[{}]/g, '').replaceAll('/', '-')}`,
    summary,
    description: `For the role ${role} and above.`,
    parameters: [...inPath, ...queryParameters(query), ...conditional(method)],
    ...(body
      ? {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: { 'application/json': { schema: schemaOf(body) } },
          },
        }
      : {}),
    responses: {
      [status]: status === 204 ? { description: 'Done' } : done(operation),
      ...Object.fromEntries(
        refusals
          .filter(({ applies }) => applies(operation))
          .map(({ code, description }) => [code, refused(description)]),
      ),
      default: refused('Refused'),
    },
  }
}

/** `{ success, data?, pagination? }`. */
function done({ status, query }: Operation): object {
  const isPaged = queryParameters(query).some(({ name }) => name === 'cursor')
  const properties = {
    success: { const: true },
    data: {},
    ...(isPaged ? { pagination: { $ref: '#/components/schemas/Pagination' } } : {}),
  }
  const schema = { type: 'object', required: ['success'], properties }
  const headers = status === 201 ? { headers: { Location: { schema: { type: 'string' } } } } : {}
  const content = { 'application/json': { schema } }
  return { description: 'Done', ...headers, content }
}

function refused(description: string): object {
  const schema = { $ref: '#/components/schemas/Error' }
  return { description, content: { 'application/json': { schema } } }
}

interface Refused {
  readonly code: number
  readonly description: string
  readonly applies: (operation: Operation) => boolean
}

const refusals: readonly Refused[] = [
  { code: 400, description: 'Every bad field is named', applies: () => true },
  { code: 401, description: 'No bearer token, or not one of ours', applies: () => true },
  { code: 403, description: 'The role may not do that', applies: () => true },
  { code: 404, description: 'There is none', applies: ({ path }) => path.includes('{') },
  { code: 409, description: 'It has changed', applies: ({ method }) => method !== 'GET' },
  { code: 429, description: 'Too many requests; Retry-After tells', applies: () => true },
]

function conditional(method: Operation['method']): object[] {
  if (method === 'GET') return []
  return [
    {
      name: 'If-Match',
      in: 'header',
      description: 'Refuses the change with 409 when it was made to something else',
      schema: { type: 'string' },
    },
  ]
}

/** Shapes that name themselves are described beside the others. */
function schemaOf(shape: z.ZodType): ObjectSchema {
  const { $schema: _, $defs: _defs, ...schema } = rawSchemaOf(shape)
  return schema
}

/** Parts that refer to each other do so by their place in the document. */
function rawSchemaOf(shape: z.ZodType): ObjectSchema & { $schema?: unknown; $defs?: Named } {
  const schema = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' })
  const names = Object.keys(schema.$defs ?? {})
  const text = names.reduce(
    (before, name) => before.replaceAll(`"#/$defs/${name}"`, `"${sharedRef(schema, name)}"`),
    JSON.stringify(schema),
  )
  return JSON.parse(text) as ReturnType<typeof rawSchemaOf> // what toJSONSchema made
}

function sharedRef({ $defs = {} }: z.core.JSONSchema.BaseSchema, name: string): string {
  return `#/components/schemas/${nameOf($defs[name])}`
}

/** The same shape has the same name wherever it is used. */
function nameOf(schema: unknown): string {
  return idOf('Shape', JSON.stringify(schema)).slice(0, 14)
}

type Named = Readonly<Record<string, object>>

function sharedSchemas(operations: readonly Operation[]): Named {
  const shapes = operations.flatMap(({ query, body }) => (body ? [query, body] : [query]))
  return Object.fromEntries(
    shapes.flatMap((shape) => {
      const plain = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' })
      const placed = rawSchemaOf(shape).$defs ?? {}
      return Object.entries(placed).map(([name, schema]) => [nameOf(plain.$defs?.[name]), schema])
    }),
  )
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, object>>
  readonly required?: readonly string[]
  readonly allOf?: readonly ObjectSchema[]
  readonly anyOf?: readonly ObjectSchema[]
}

interface Parameter {
  readonly name: string
  readonly in: 'query'
  readonly required: boolean
  readonly schema: object
}

/** Every parameter that any form of the query has. */
function queryParameters(shape: z.ZodType): Parameter[] {
  const parameters = new Map<string, Parameter>()
  const collect = (schema: ObjectSchema, isSure: boolean) => {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const required = isSure && (schema.required?.includes(name) ?? false)
      parameters.set(name, { name, in: 'query', required, schema: property })
    }
    for (const part of schema.allOf ?? []) collect(part, isSure)
    for (const part of schema.anyOf ?? []) collect(part, false)
  }
  collect(schemaOf(shape), true)
  return [...parameters.values()]
}
