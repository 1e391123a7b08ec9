import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const src = join(root, 'src')

const features = ['sync', 'credentials', 'rate-limit', 'webhooks', 'notifications', 'management']
const pure = /^(zod|croner|jose|double-metaphone|@skyra\/jaro-winkler|node:crypto|node:zlib)$/

/** What a room may import: other rooms (as values, or as types only) and packages. */
interface Rule {
  readonly values: readonly string[]
  readonly types?: readonly string[]
  readonly packages: RegExp
}

const rules: Readonly<Record<string, Rule>> = {
  core: { values: [], packages: /^node:crypto$/ },
  ...Object.fromEntries(features.map((name) => [name, { values: ['core'], packages: pure }])),
  connectors: { values: ['core'], types: ['webhooks'], packages: /^zod$/ },
  adapters: {
    values: ['core', 'topology.json'],
    types: features,
    packages: /^(@azure\/|jose$|zod$|ioredis$)/,
  },
  functions: {
    values: ['core', ...features],
    types: ['app.ts', 'app'],
    packages: /^(@azure\/functions|zod|node:crypto|node:async_hooks)$/,
  },
  'settings.ts': { values: ['core', 'rate-limit', 'topology.json'], packages: /^zod$/ },
  'sources.ts': { values: ['core', ...features, 'connectors'], packages: /^$/ },
  app: {
    values: ['core', ...features, 'connectors', 'adapters'],
    types: ['settings.ts'],
    packages: /^(@azure\/identity|node:crypto)$/,
  },
  'app.ts': {
    values: ['app', 'sources.ts', 'core', ...features, 'connectors', 'adapters'],
    types: ['settings.ts'],
    packages: /^@azure\/identity$/,
  },
  'main.ts': {
    values: ['app.ts', 'settings.ts', 'functions', '../package.json'],
    packages: /^@azure\/functions$/,
  },
}

interface Import {
  readonly file: string
  readonly room: string
  readonly target: string
  readonly typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/g,
  )
  const name = relative(src, file)
  return [...found].map(([, type, from, dynamic]) => {
    const specifier = from ?? dynamic ?? ''
    const target = specifier.startsWith('.')
      ? relative(src, join(dirname(file), specifier))
      : specifier
    return { file: name, room: roomOf(name), target, typeOnly: type !== undefined }
  })
}

/** A folder, or a file at the top. */
function roomOf(path: string): string {
  return path.startsWith('..') ? path : (path.split(sep)[0] ?? path)
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
)
const imports = files.flatMap((name) => importsOf(join(src, name)))

function isAllowed({ file, room, target, typeOnly }: Import): boolean {
  const rule = rules[room]
  if (!rule) return false
  const inside = target.endsWith('.ts') || target.endsWith('.json')
  if (!inside) return rule.packages.test(target)
  const other = roomOf(target)
  if (other === room && file.includes(sep)) return true
  return rule.values.includes(other) || (typeOnly && (rule.types ?? []).includes(other))
}

describe('the rooms', () => {
  test('this test sees files, imports, and both kinds of them', () => {
    expect(files.length).toBeGreaterThan(30)
    expect(imports.length).toBeGreaterThan(100)
    expect(imports.filter(({ typeOnly }) => typeOnly).length).toBeGreaterThan(20)
    expect(imports.filter(({ target }) => target.startsWith('@azure/')).length).toBeGreaterThan(5)
  })

  test('every room has a rule', () => {
    expect(files.map(roomOf).filter((room) => !rules[room])).toEqual([])
  })

  test('nobody imports what the room may not', () => {
    expect(
      imports
        .filter((one) => !isAllowed(one))
        .map(({ file, target }) => `${file} imports ${target}`),
    ).toEqual([])
  })

  test('a forbidden import is found', () => {
    const planted = { file: 'sync/inbound.ts', room: 'sync', typeOnly: false }
    expect(isAllowed({ ...planted, target: 'credentials/access.ts' })).toBe(false)
    expect(isAllowed({ ...planted, target: '@azure/cosmos' })).toBe(false)
    expect(
      isAllowed({
        file: 'connectors/index.ts',
        room: 'connectors',
        target: 'webhooks/schemes.ts',
        typeOnly: false,
      }),
    ).toBe(false)
  })

  test('no room is a drawer for everything', () => {
    const drawers = ['shared', 'utils', 'helpers', 'common', 'lib']
    expect(files.filter((name) => name.split(sep).some((part) => drawers.includes(part)))).toEqual(
      [],
    )
  })

  test('only settings are read from the environment, and only by the entry', () => {
    const readers = files.filter((name) =>
      /process\.env/.test(readFileSync(join(src, name), 'utf8')),
    )
    expect(readers).toEqual(['main.ts'])
  })
})
