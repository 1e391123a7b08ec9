import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { timeSpanMs } from './time-span.ts'

const timeSpan = z.string().transform((text, context) => {
  const ms = timeSpanMs(text)
  if (ms !== undefined) return ms
  context.addIssue({ code: 'custom', message: `expected a time span hh:mm:ss, not "${text}"` })
  return z.NEVER
})

const count = z.int().positive()
const retryShape = z.object({
  mode: z
    .string()
    .transform((mode) => mode.toLowerCase())
    .pipe(z.enum(['exponential', 'fixed']))
    .default('exponential'),
  tryTimeout: timeSpan.default(60_000),
  delay: timeSpan.default(800),
  maxDelay: timeSpan.default(60_000),
  maxRetries: z.int().nonnegative().default(3),
})

/** Defaults of the Service Bus extension 5.x. */
const serviceBusShape = z.object({
  maxConcurrentCalls: count.default(16),
  maxConcurrentSessions: count.default(8),
  maxConcurrentCallsPerSession: count.default(1),
  maxMessageBatchSize: count.default(1000),
  minMessageBatchSize: count.default(1),
  maxBatchWaitTime: timeSpan.default(30_000),
  maxAutoLockRenewalDuration: timeSpan.default(300_000),
  autoCompleteMessages: z.boolean().default(true),
  sessionIdleTimeout: timeSpan.optional(),
  prefetchCount: z.int().nonnegative().default(0),
  clientRetryOptions: retryShape.default(() => retryShape.parse({})),
})

const hostShape = z.object({
  version: z.literal('2.0', { error: 'host.json needs "version": "2.0"' }),
  functionTimeout: z
    .union([z.literal('-1').transform(() => Infinity), timeSpan])
    .default(1_800_000),
  logging: z
    .object({ logLevel: z.record(z.string(), z.string()).default({}) })
    .default(() => ({ logLevel: {} })),
  extensions: z
    .object({
      http: z
        .object({ routePrefix: z.string().default('api') })
        .default(() => ({ routePrefix: 'api' })),
      serviceBus: serviceBusShape.default(() => serviceBusShape.parse({})),
    })
    .default(() => ({
      http: { routePrefix: 'api' },
      serviceBus: serviceBusShape.parse({}),
    })),
})

export type HostJson = z.infer<typeof hostShape>
export type ServiceBusOptions = z.infer<typeof serviceBusShape>

/**
 * Reads host.json with the settings laid over it (`AzureFunctionsJobHost__extensions__http__routePrefix`). Durations
 * come out as milliseconds; a `functionTimeout` of `-1` comes out as Infinity. Throws one message with every problem.
 */
export async function readHostJson(
  root: string,
  settings: Readonly<Record<string, string>>,
): Promise<HostJson> {
  const file = path.join(root, 'host.json')
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`cannot read ${file}: an app needs a host.json`, { cause })
  })
  return parseHostJson(text, settings)
}

export function parseHostJson(text: string, settings: Readonly<Record<string, string>>): HostJson {
  const parsed = hostShape.safeParse(overlay(parseObject(text), settings))
  if (!parsed.success) throw new Error(`host.json is wrong:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}

type Tree = { [key: string]: unknown }

function parseObject(text: string): Tree {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
  } catch (cause) {
    throw new Error('host.json is not a JSON object', { cause })
  }
}

const OVERRIDE = /^AzureFunctionsJobHost(?:__|:)/i

function overlay(tree: Tree, settings: Readonly<Record<string, string>>): Tree {
  const result = structuredClone(tree)
  for (const [name, value] of Object.entries(settings)) {
    if (OVERRIDE.test(name)) place(result, name.replace(OVERRIDE, '').split(/__|:/), scalar(value))
  }
  return result
}

function place(tree: Tree, [key = '', ...rest]: readonly string[], value: unknown): void {
  const name = Object.keys(tree).find((own) => own.toLowerCase() === key.toLowerCase()) ?? key
  if (rest.length === 0) {
    tree[name] = value
    return
  }
  const below = tree[name]
  const child = isTree(below) ? below : {}
  tree[name] = child
  place(child, rest, value)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function scalar(value: string): unknown {
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  return /^\d+$/.test(value) ? Number(value) : value
}
