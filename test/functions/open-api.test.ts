import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeOperations } from '../../src/functions/management-api.ts'

const documentShape = z.looseObject({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        operationId: z.string(),
        parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })),
        responses: z.record(z.string(), z.unknown()),
      }),
    ),
  ),
})

const document = documentShape.parse(describeOperations('1.2.3'))
const all = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({ path, method, one })),
)

test('a stock validator finds nothing wrong with the document', async () => {
  const result = await new Validator().validate(structuredClone(document))
  expect(result).toEqual({ valid: true })
})

test('and it does find what is wrong', async () => {
  const broken = { ...structuredClone(document), paths: { 'no slash': {} } }
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false })
})

test('every resource of the contract is described with its verbs', () => {
  const found = all.map(({ path, method }) => `${method} ${path.replace('/api/v1/', '')}`)
  const crud = (name: string) => [
    `get ${name}`,
    `post ${name}`,
    `get ${name}/{id}`,
    `patch ${name}/{id}`,
    `delete ${name}/{id}`,
  ]
  expect(found).toEqual(
    expect.arrayContaining([
      ...crud('connections'),
      'post connections/{id}/test',
      'get connections/{id}/fields',
      ...crud('sync-tasks'),
      'post sync-tasks/{id}/run',
      'post webhook-registrations',
      'post webhook-registrations/{id}/secrets',
      'delete webhook-registrations/{id}/secrets/{secretId}',
      ...crud('records'),
      'get results',
      'get deliveries',
      'get conflicts',
      'get conflicts/{id}',
      'post conflicts/{id}/resolve',
      'get parked',
      'post parked/redrive',
      'post parked/{id}/redrive',
      'delete parked/{id}',
    ]),
  )
})

test('no two operations share an id, and every name in a path is a parameter', () => {
  const ids = all.map(({ one }) => one.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { path, one } of all) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = one.parameters.filter((parameter) => parameter.in === 'path')
    expect(declared.map(({ name }) => name)).toEqual(names)
  }
})

test('what is made is answered 201, what is queued 202, and refusals are described', () => {
  const statusOf = (method: string, path: string) =>
    Object.keys(document.paths[`/api/v1/${path}`]?.[method]?.responses ?? {})
  expect(statusOf('post', 'connections')).toEqual(expect.arrayContaining(['201', '400', '401']))
  expect(statusOf('post', 'sync-tasks/{id}/run')).toEqual(expect.arrayContaining(['202', '409']))
  expect(statusOf('get', 'records/{id}')).toEqual(expect.arrayContaining(['200', '404', '429']))
})
