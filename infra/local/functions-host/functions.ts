import { z } from 'zod'
import { isDisabled, resolveConnection, resolveSettings, type Connection } from './app-settings.ts'
import type { Registration } from './registry.ts'
import type { BindingInfo } from './rpc.ts'

export interface HttpTrigger {
  readonly kind: 'http'
  readonly bindingName: string
  /** Without the prefix and without slashes at the ends. */
  readonly route: string
  readonly methods: readonly string[]
  readonly authLevel: 'anonymous' | 'function' | 'admin'
}
export interface TimerTrigger {
  readonly kind: 'timer'
  readonly bindingName: string
  readonly schedule: string
  readonly runOnStartup: boolean
  readonly useMonitor: boolean
}
export interface QueueTrigger {
  readonly kind: 'queue'
  readonly bindingName: string
  readonly queue: string
  readonly connectionName: string
  readonly connection: Connection
  readonly batch: boolean
  readonly sessions: boolean
  readonly binary: boolean
  /** Undefined leaves it to host.json. */
  readonly autoComplete: boolean | undefined
}
type Trigger = HttpTrigger | TimerTrigger | QueueTrigger

export interface QueueOutput {
  /** `$return` for the return value. */
  readonly bindingName: string
  readonly queue: string
  readonly connectionName: string
  readonly connection: Connection
}

/** A registered function whose bindings this host can serve. */
export interface HostedFunction {
  readonly name: string
  readonly registration: Registration
  readonly trigger: Trigger
  readonly outputs: readonly QueueOutput[]
  readonly disabled: boolean
}

type Settings = Readonly<Record<string, string>>

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,127}$/

/** Validates one registration against what this host serves; throws one message that names the function. */
export function hostFunction(registration: Registration, settings: Settings): HostedFunction {
  const { name, bindings } = registration.metadata
  try {
    if (!NAME.test(name)) throw new Error('a name is a letter, then letters, digits, _ or -')
    const disabled = isDisabled(name, settings)
    const entries = Object.entries(bindings)
    const trigger = entries
      .filter(([, binding]) => /trigger$/i.test(binding.type))
      .map(([bindingName, binding]) =>
        readTrigger({ name, bindingName, binding, settings, disabled }),
      )
    if (trigger[0] === undefined || trigger.length > 1) {
      throw new Error(`needs exactly one trigger, has ${trigger.length}`)
    }
    const others = entries.filter(([, binding]) => !/trigger$/i.test(binding.type))
    const outputs = others.flatMap(([bindingName, binding]) =>
      readOutput({ name, bindingName, binding, settings, disabled }),
    )
    return { name, registration, trigger: trigger[0], outputs, disabled }
  } catch (error) {
    const problem =
      error instanceof z.ZodError
        ? z.prettifyError(error)
        : error instanceof Error
          ? error.message
          : String(error)
    throw new Error(`The '${name}' function is in error: ${problem}`, { cause: error })
  }
}

interface Reading {
  readonly name: string
  readonly bindingName: string
  readonly binding: BindingInfo
  readonly settings: Settings
  /** A disabled function is not run, so a missing connection is no reason to refuse it. */
  readonly disabled: boolean
}

const httpShape = z.object({
  route: z.string().optional(),
  methods: z.array(z.string().toUpperCase()).default(['GET', 'POST']),
  authLevel: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['anonymous', 'function', 'admin']))
    .default('anonymous'),
})
const timerShape = z.object({
  schedule: z.string(),
  runOnStartup: z.boolean().default(false),
  useMonitor: z.boolean().default(true),
})
const queueShape = z.object({
  queueName: z.string({ error: 'only queues are served here, not topics: queueName is missing' }),
  connection: z.string().default('ServiceBus'),
  cardinality: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['one', 'many']))
    .default('one'),
  isSessionsEnabled: z.boolean().default(false),
  autoCompleteMessages: z.boolean().optional(),
  dataType: z.string().optional(),
})
const outputShape = z.object({
  queueName: z.string({ error: 'only queues are served here, not topics: queueName is missing' }),
  connection: z.string().default('ServiceBus'),
})

function readTrigger(reading: Reading): Trigger {
  const { binding, bindingName, settings, name } = reading
  switch (binding.type) {
    case 'httpTrigger': {
      const { route, methods, authLevel } = httpShape.parse(binding)
      const given = (route ?? name).replaceAll(/^\/+|\/+$/g, '')
      if (/^(admin|runtime)/i.test(given)) {
        throw new Error('The specified route conflicts with one or more built in routes.')
      }
      return { kind: 'http', bindingName, route: given, methods, authLevel }
    }
    case 'timerTrigger': {
      const { schedule, runOnStartup, useMonitor } = timerShape.parse(binding)
      const resolved = resolveSettings(schedule, settings)
      return { kind: 'timer', bindingName, schedule: resolved, runOnStartup, useMonitor }
    }
    case 'serviceBusTrigger': {
      const options = queueShape.parse(binding)
      if (isSdkBinding(binding)) {
        throw new Error('sdkBinding is not served here: take it out of the trigger')
      }
      return {
        kind: 'queue',
        bindingName,
        ...readQueue(reading, options),
        batch: options.cardinality === 'many',
        sessions: options.isSessionsEnabled,
        binary: options.dataType === 'binary',
        autoComplete: options.autoCompleteMessages,
      }
    }
    default:
      throw new Error(
        `${binding.type} is not served here, only httpTrigger, timerTrigger and serviceBusTrigger (queues)`,
      )
  }
}

function isSdkBinding({ properties }: BindingInfo): boolean {
  const shape = z.object({ supportsDeferredBinding: z.literal('true') })
  return shape.safeParse(properties).success
}

function readOutput(reading: Reading): readonly QueueOutput[] {
  const { binding, bindingName } = reading
  if (binding.direction === 'out' && binding.type === 'http') return []
  if (binding.direction === 'out' && binding.type === 'serviceBus') {
    return [{ bindingName, ...readQueue(reading, outputShape.parse(binding)) }]
  }
  throw new Error(
    `${binding.direction === 'out' ? 'output' : 'input'} binding ${binding.type} is not served here, only http and serviceBus (queues) outputs`,
  )
}

function readQueue(
  { settings, disabled }: Reading,
  { queueName, connection }: { queueName: string; connection: string },
) {
  const connectionName = resolveSettings(connection, settings)
  const resolved: Connection = disabled
    ? { kind: 'string', connectionString: '' }
    : resolveConnection(connectionName, settings)
  return { queue: resolveSettings(queueName, settings), connectionName, connection: resolved }
}
