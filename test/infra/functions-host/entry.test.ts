import { build, type BuildOptions } from 'esbuild'
import path from 'node:path'
import { expect, test } from 'vitest'
import { fixture, startFixture } from './start.ts'
import { packageJson, writeApp } from './write-app.ts'

const importing = "import { app } from '@azure/functions'\n"
const requiring = "const { app } = require('@azure/functions')\n"
const hello = (name: string) => `app.get('${name}', async () => ({ body: '${name}' }))\n`

const startApp = (root: string) => startFixture('http', { root })

test.for([
  ['main.mjs', 'commonjs', importing],
  ['main.js', 'module', importing],
  ['main.js', 'commonjs', requiring],
  ['main.cjs', 'module', requiring],
  ['main.ts', 'module', `${importing}const typed: number = 1\nvoid typed\n`],
] as const)(
  '%s of a %s package is loaded, and again in the same process',
  async ([file, type, head]) => {
    await using app = await writeApp({
      'package.json': packageJson(file, type),
      [file]: head + hello('one'),
    })
    for (let start = 0; start < 2; start += 1) {
      await using host = await startApp(app.root)
      expect(await (await host.call('/api/one')).text()).toBe('one')
    }
  },
)

test('main is a glob: every match is loaded', async () => {
  await using app = await writeApp({
    'package.json': packageJson('./dist/{index.js,functions/**/*.js}'),
    'dist/index.js': 'await Promise.resolve()\n',
    'dist/functions/a.js': importing + hello('a'),
    'dist/functions/deep/b.js': importing + hello('b'),
    'dist/other/c.js': importing + hello('c'),
  })
  await using host = await startApp(app.root)
  expect(host.control.functions().map(({ name }) => name)).toEqual(['a', 'b'])
})

test.for([
  [
    'esm',
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
  ],
  ['cjs', ''],
] as const)(
  'a bundle in %s form with its own copy of the library is loaded',
  async ([format, banner]) => {
    await using app = await writeApp({
      'package.json': packageJson('dist/main.js', format === 'esm' ? 'module' : 'commonjs'),
      'dist/empty': '',
    })
    const options: BuildOptions = {
      entryPoints: [path.join(fixture('http'), 'functions.ts')],
      outfile: path.join(app.root, 'dist/main.js'),
      bundle: true,
      format,
      platform: 'node',
      target: 'node24',
      external: ['@azure/functions-core'],
      banner: { js: banner },
      logLevel: 'silent',
    }
    await build(options)
    for (let start = 0; start < 2; start += 1) {
      await using host = await startApp(app.root)
      const answer = await host.call('/api/echo/1/2', { method: 'POST', body: 'x' })
      expect(await answer.json()).toMatchObject({ params: { id: '1', path: '2' }, body: '78' })
    }
  },
)

test.for<readonly [string, Record<string, string>, RegExp]>([
  [
    'an entry that throws',
    { 'main.js': 'throw new Error("no settings")' },
    /unable to load entry point "main\.js": no settings/,
  ],
  [
    'a syntax error',
    { 'package.json': packageJson('main.cjs'), 'main.cjs': 'const = 1' },
    /unable to load entry point "main\.cjs": Unexpected token.*main\.cjs:1/,
  ],
  ['a missing import', { 'main.js': "import './gone.js'" }, /gone\.js/],
  ['no match', {}, /"main\.js": Found zero files matching/],
  ['no function', { 'main.js': '' }, /registered no function/],
  [
    'a name that comes twice',
    { 'main.js': importing + hello('one') + hello('One') },
    /"One" has already been registered/,
  ],
  [
    'a reserved route',
    { 'main.js': `${importing}app.get('one', { route: 'Admin/x', handler: () => ({}) })` },
    /'one' function is in error.*conflicts with one or more built in routes/s,
  ],
  [
    'a trigger that is not served',
    {
      'main.js': `${importing}app.storageQueue('one', { queueName: 'q', connection: 'C', handler() {} })`,
    },
    /'one'.*queueTrigger is not served here/s,
  ],
  [
    'an output that is not served',
    {
      'main.js': `import { app, output } from '@azure/functions'
        app.get('one', { handler: () => ({}), extraOutputs: [output.storageQueue({ queueName: 'q', connection: 'C' })] })`,
    },
    /'one'.*output binding queue is not served here/s,
  ],
  [
    'a bad schedule',
    { 'main.js': `${importing}app.timer('one', { schedule: 'daily', handler() {} })` },
    /"daily" is neither NCRONTAB/,
  ],
  [
    'a bad host.json',
    { 'main.js': importing + hello('one'), 'host.json': '{}' },
    /"version": "2\.0"/,
  ],
  [
    'a bad time span in host.json',
    {
      'main.js': importing + hello('one'),
      'host.json': '{ "version": "2.0", "functionTimeout": "5m" }',
    },
    /functionTimeout/,
  ],
  ['no package.json', { 'package.json': 'null' }, /cannot read .*package\.json/],
])('%s stops the start with a message, and leaves the process free', async ([, files, message]) => {
  await using app = await writeApp({ 'package.json': packageJson('main.js'), ...files })
  await expect(startApp(app.root)).rejects.toThrow(message)
  await using next = await startFixture('http')
  expect((await next.call('/nothing')).status).toBe(204)
})

test('HTTP streaming is refused while the app is loaded', async () => {
  await using app = await writeApp({
    'package.json': packageJson('dist/main.js', 'commonjs'),
    'source.js': `${importing}app.setup({ enableHttpStream: true })\n${hello('one')}`,
  })
  // A bundle, because the library keeps that switch on for the rest of the process.
  await build({
    entryPoints: [path.join(app.root, 'source.js')],
    outfile: path.join(app.root, 'dist/main.js'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    external: ['@azure/functions-core'],
    logLevel: 'silent',
  })
  await expect(startApp(app.root)).rejects.toThrow('take enableHttpStream out of app.setup')
})

test('a function cannot be registered after the start', async () => {
  await using app = await writeApp({
    'package.json': packageJson('main.js'),
    'main.js': `${importing}
      app.get('late', async () => { app.get('later', () => ({})); return { body: 'never' } })`,
  })
  await using host = await startApp(app.root)
  expect((await host.call('/api/late')).status).toBe(500)
  const problem = host.lines.find(({ level }) => level === 'error')
  expect(problem?.message).toContain('A function can only be registered during app startup.')
})

test('one process runs one host at a time', async () => {
  await using host = await startFixture('http')
  await expect(startFixture('http')).rejects.toThrow('running in this process already')
  expect((await host.call('/nothing')).status).toBe(204)
})
