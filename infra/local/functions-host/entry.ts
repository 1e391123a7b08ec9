import { glob, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'

const packageShape = z.object({ main: z.string().optional(), type: z.string().optional() })

/**
 * Node's own `import()`, from a module that no test runner or bundler transforms: one that does would load the app
 * through a module graph of its own, with another copy of the library.
 */
const NATIVE_IMPORT = 'data:text/javascript,export const load = (url) => import(url)'

async function nativeImport(url: string): Promise<void> {
  const { load } = (await import(NATIVE_IMPORT)) as { load: (url: string) => Promise<unknown> } // the text above
  await load(url)
}

let loads = 0

/**
 * Loads what `main` of the app's package.json names, as the worker does: every match of the glob in turn, relative to the
 * root. A second load in one process evaluates the entry again. Throws one message that names the entry and its problem.
 */
export async function loadApp(root: string): Promise<readonly string[]> {
  const { main, type } = await readPackage(root)
  if (!main) {
    throw new Error(`${path.join(root, 'package.json')} has no "main": nothing names the functions`)
  }
  const files = await matches(main, root)
  if (files.length === 0) throw entryError(main, 'Found zero files matching the supplied pattern')
  loads += 1
  for (const file of files) {
    try {
      await loadFile(path.resolve(root, file), type === 'module')
    } catch (error) {
      throw entryError(file, describe(error), error)
    }
  }
  return files
}

async function matches(pattern: string, root: string): Promise<readonly string[]> {
  const files: string[] = []
  for await (const file of glob(pattern.replace(/^\.\//, ''), { cwd: root })) files.push(file)
  return files.sort()
}

async function readPackage(root: string): Promise<z.infer<typeof packageShape>> {
  const file = path.join(root, 'package.json')
  try {
    return packageShape.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    throw new Error(`cannot read ${file}: ${describe(error)}`, { cause: error })
  }
}

async function loadFile(file: string, isModulePackage: boolean): Promise<void> {
  const extension = path.extname(file)
  const isCommonJs = extension === '.cjs' || (extension === '.js' && !isModulePackage)
  const require = createRequire(file)
  Reflect.deleteProperty(require.cache, file)
  if (isCommonJs) {
    require(file)
    return
  }
  await nativeImport(`${pathToFileURL(file).href}?load=${loads}`)
}

function entryError(entry: string, problem: string, cause?: unknown): Error {
  return new Error(`Worker was unable to load entry point "${entry}": ${problem}`, { cause })
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A syntax error tells the place only in the head of its stack.
  const place = error instanceof SyntaxError ? error.stack?.split('\n', 1)[0] : undefined
  return place?.includes(':') && !place.startsWith('SyntaxError')
    ? `${error.message} (${place})`
    : error.message
}
