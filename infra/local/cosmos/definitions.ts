import { z } from 'zod'
import type { ContainerDefinition } from './container.ts'
import { badRequest } from './errors.ts'
import { DEFAULT_INDEXING } from './indexing.ts'
import type { JsonObject } from './json.ts'
import { isTimeToLive } from './time-to-live.ts'

/** Levels of a hierarchical partition key (vendor's service limits). */
const KEY_LEVELS_LIMIT = 3
/** Characters of a database's or container's id (vendor's service limits). */
const ID_LENGTH_LIMIT = 255
const ROOT_PATHS = new Set(['/*', '/'])

const path = z.string().startsWith('/')
const indexPaths = z.array(z.looseObject({ path }))
const definitionShape = z.looseObject({
  id: z.string(),
  partitionKey: z.looseObject({
    paths: z.array(path).min(1).max(KEY_LEVELS_LIMIT),
    kind: z.enum(['Hash', 'MultiHash']).default('Hash'),
    version: z.int().optional(),
  }),
  indexingPolicy: z
    .looseObject({
      indexingMode: z
        .string()
        .transform((mode) => mode.toLowerCase())
        .pipe(z.enum(['consistent', 'lazy', 'none']))
        .default('consistent'),
      automatic: z.boolean().default(true),
      includedPaths: indexPaths.optional(),
      excludedPaths: indexPaths.optional(),
      compositeIndexes: z
        .array(
          z
            .array(z.looseObject({ path, order: z.enum(['ascending', 'descending']).optional() }))
            .min(2),
        )
        .optional(),
    })
    .optional(),
  uniqueKeyPolicy: z
    .looseObject({ uniqueKeys: z.array(z.looseObject({ paths: z.array(path).min(1) })) })
    .optional(),
})

/** Reads what a client declares; says 400 to what the service would not take, and fills in the service's defaults. */
export function parseDefinition(body: JsonObject): ContainerDefinition {
  const parsed = definitionShape.safeParse(body)
  if (!parsed.success) {
    throw badRequest(`The container definition is invalid: ${z.prettifyError(parsed.error)}`)
  }
  const { defaultTtl, ...given } = parsed.data
  const definition = withoutSystemFields(given)
  checkId(definition.id)
  if (defaultTtl !== undefined && !isTimeToLive(defaultTtl)) {
    throw badRequest(`The value ${JSON.stringify(defaultTtl)} of defaultTtl is invalid.`)
  }
  const { paths, kind } = definition.partitionKey
  if (kind === 'Hash' && paths.length > 1) {
    throw badRequest('Several partition key paths need the kind MultiHash.')
  }
  return {
    ...SERVICE_DEFAULTS,
    ...definition,
    ...(defaultTtl === undefined ? {} : { defaultTtl }),
    partitionKey: { ...definition.partitionKey, version: definition.partitionKey.version ?? 2 },
    indexingPolicy: indexingOf(definition.indexingPolicy),
  } as ContainerDefinition // zod's optional fields may say undefined; JSON cannot
}

/** A replace sends back what a read answered; the service's own fields are not part of a definition. */
function withoutSystemFields<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !name.startsWith('_'))) as T // T names none of them
}

/** Says 400 to an id which the service does not take for a database or container. */
export function checkId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id === '' || id.length > ID_LENGTH_LIMIT || /[/\\?#]| $/.test(id)) {
    throw badRequest(
      `The input name ${JSON.stringify(id)} is invalid. Ensure to provide a unique non-empty string less than '${ID_LENGTH_LIMIT + 1}' characters, without '/', '\\', '?', '#' and no space at the end.`,
    )
  }
}

const SERVICE_DEFAULTS = {
  conflictResolutionPolicy: {
    mode: 'LastWriterWins',
    conflictResolutionPath: '/_ts',
    conflictResolutionProcedure: '',
  },
  geospatialConfig: { type: 'Geography' },
}

type GivenIndexing = z.infer<typeof definitionShape>['indexingPolicy']

function indexingOf(given: GivenIndexing): object {
  if (!given) return DEFAULT_INDEXING
  const included = given.includedPaths ?? []
  const excluded = given.excludedPaths ?? []
  if (given.indexingMode === 'none') return { ...given, includedPaths: [], excludedPaths: [] }
  if (included.length + excluded.length === 0)
    return {
      ...DEFAULT_INDEXING,
      ...given,
      includedPaths: DEFAULT_INDEXING.includedPaths,
      excludedPaths: DEFAULT_INDEXING.excludedPaths,
    }
  if (![...included, ...excluded].some(({ path }) => ROOT_PATHS.has(path))) {
    throw badRequest(
      'The special mandatory indexing path "/" is not provided in any of the path type sets. Please provide this path in one of the sets.',
    )
  }
  const hasEtag = excluded.some(({ path }) => path === ETAG_PATH)
  return {
    ...given,
    includedPaths: included,
    excludedPaths: hasEtag ? excluded : [...excluded, { path: ETAG_PATH }],
  }
}

const ETAG_PATH = '/"_etag"/?'
