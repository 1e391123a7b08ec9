import { cp, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { bundle } from './bundle.ts'
import { readOptions } from './local/command.ts'

const root = path.join(import.meta.dirname, '..')
const options = readOptions({
  usage: 'npm run build --',
  summary:
    'Makes the folder that is deployed: one bundle, host.json, package.json, no node_modules.',
  options: { out: { type: 'text', default: 'dist', help: 'the folder; it is emptied first' } },
})
const out = path.resolve(root, options.out)

await rm(out, { recursive: true, force: true })
await mkdir(out, { recursive: true })
await bundle(path.join(root, manifest.main), path.join(out, 'main.mjs'))
await cp(path.join(root, 'host.json'), path.join(out, 'host.json'))
const { name, version, license, private: isPrivate } = manifest
const deployed = { name, version, license, private: isPrivate, type: 'module', main: 'main.mjs' }
await writeFile(path.join(out, 'package.json'), `${JSON.stringify(deployed, null, 2)}\n`)
const { size } = await stat(path.join(out, 'main.mjs'))
process.stdout.write(`${out}: main.mjs ${(size / 1024 / 1024).toFixed(1)} MB\n`)
