import { z } from 'zod'
import { errorCodes } from '../../core/errors.ts'
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

function describe({ method, path, summary, role, status, query, body }: Operation): object {
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
            required: true,
            content: { 'application/json': { schema: schemaOf(body) } },
          },
        }
      : {}),
    responses: {
      [status]: { description: 'Done' },
      default: {
        description: 'Refused',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  }
}

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

function schemaOf(shape: z.ZodType): object {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' })
  return schema
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, object>>
  readonly required?: readonly string[]
  readonly allOf?: readonly ObjectSchema[]
  readonly anyOf?: readonly ObjectSchema[]
}

/** Every parameter that any form of the query has. */
function queryParameters(shape: z.ZodType): object[] {
  const parameters = new Map<string, object>()
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
