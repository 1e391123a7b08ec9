import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const modules = new URL('../../../node_modules', import.meta.url).pathname

/** Writes a small app into a folder of its own, with this project's packages; gone after disposal. */
export async function writeApp(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(path.join(tmpdir(), 'functions-app-'))
  await symlink(modules, path.join(root, 'node_modules'))
  for (const [name, text] of Object.entries({ 'host.json': '{ "version": "2.0" }', ...files })) {
    const file = path.join(root, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

/** package.json of an app. */
export function packageJson(main: string, type: 'module' | 'commonjs' = 'module'): string {
  return JSON.stringify({ name: 'app', private: true, type, main })
}
