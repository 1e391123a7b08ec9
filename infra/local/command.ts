import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Emulator } from './emulator.ts'
import { serveControl } from './control-server.ts'

/** One option of a command: a number, a text or a switch. */
export interface Option {
  readonly type: 'number' | 'text' | 'switch'
  readonly help: string
  readonly default?: number | string | boolean
}
export type OptionTable = Readonly<Record<string, Option>>
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K]['type'] extends 'switch'
    ? boolean
    : T[K] extends { default: number }
      ? number
      : T[K] extends { default: string }
        ? string
        : T[K]['type'] extends 'number'
          ? number | undefined
          : string | undefined
}

export interface Command<T extends OptionTable> {
  /** How it is called: `npm run emulator:cosmos --`. */
  readonly usage: string
  readonly summary: string
  readonly options: T
}

/**
 * Reads the command line by the table. `--help` prints the table and ends the process with 0; anything that the table
 * does not know prints what is wrong and ends it with 2.
 */
export function readOptions<T extends OptionTable>(
  command: Command<T>,
  argv = process.argv.slice(2),
): OptionValues<T> {
  try {
    const given = parse(command.options, argv)
    if (given['help'] === true) {
      process.stdout.write(helpText(command))
      process.exit(0)
    }
    return Object.fromEntries(
      Object.entries(command.options).map(([name, option]) => [
        name,
        readValue(name, option, given[name]),
      ]),
    ) as OptionValues<T> // built entry by entry from the same table
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${problem}\nTry ${command.usage} --help\n`)
    return process.exit(2)
  }
}

type Given = string | boolean | undefined

function parse(table: OptionTable, args: string[]): Readonly<Record<string, Given>> {
  const known = Object.entries(table).map(([name, { type }]) => [
    name,
    { type: type === 'switch' ? ('boolean' as const) : ('string' as const) },
  ])
  const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries([
    ...known,
    ['help', { type: 'boolean', short: 'h' }],
  ])
  const { values } = parseArgs({ args, options, strict: true })
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.at(-1) : value,
    ]),
  )
}

function readValue(
  name: string,
  option: Option,
  given: Given,
): number | string | boolean | undefined {
  if (option.type === 'switch')
    return given === undefined ? (option.default ?? false) : given === true
  if (given === undefined) return option.default
  if (option.type === 'text') return String(given)
  const number = Number(given)
  if (given === '' || !Number.isFinite(number)) {
    throw new Error(`--${name} takes a number, not ${String(given)}`)
  }
  return number
}

function helpText({ usage, summary, options }: Command<OptionTable>): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const form =
      option.type === 'switch'
        ? `--${name}`
        : `--${name} ${option.type === 'number' ? 'N' : 'TEXT'}`
    const fallback =
      option.default === undefined || option.default === false ? '' : ` (default ${option.default})`
    return `  ${form.padEnd(24)} ${option.help}${fallback}`
  })
  return [
    `${usage} [options]`,
    '',
    summary,
    '',
    ...rows,
    `  ${'--help'.padEnd(24)} this text`,
    '',
  ].join('\n')
}

/** Runs one emulator by itself until Ctrl-C: prints its settings, its control address and `ready`. */
export function runEmulator(emulator: Emulator, controlPort?: number): Promise<void> {
  return runEmulators([emulator], controlPort)
}

/** The same for emulators that need each other; disposed from the last to the first. */
export async function runEmulators(
  emulators: readonly Emulator[],
  controlPort?: number,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  const control = await serveControl(emulators, controlPort)
  const settings = emulators.flatMap((emulator) =>
    Object.entries(emulator.settings).map(([name, value]) => `${name}=${value}\n`),
  )
  const channels = emulators.map(({ name }) => `control ${control.origin}/${name}\n`)
  process.stdout.write(`${settings.join('')}${channels.join('')}ready\n`)
  await stopped
  await control[Symbol.asyncDispose]()
  for (const emulator of emulators.toReversed()) await emulator[Symbol.asyncDispose]()
}
