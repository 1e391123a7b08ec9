/** Where a connection setting leads: a connection string, or a namespace to sign in to. */
export type Connection =
  | { readonly kind: 'string'; readonly connectionString: string }
  | { readonly kind: 'identity'; readonly namespace: string; readonly clientId?: string }

type Settings = Readonly<Record<string, string>>

/** Replaces `%NAME%` by settings; throws when one is missing, as the host's name resolver does. */
export function resolveSettings(text: string, settings: Settings): string {
  return text.replaceAll(/%([^%]+)%/g, (whole, name: string) => {
    const value = settings[name]
    if (value === undefined || value === '')
      throw new Error(`'${whole}' does not resolve to a value.`)
    return value
  })
}

/** Resolves a binding's `connection`: a setting, its `AzureWebJobs` form, or a section `<name>__fullyQualifiedNamespace`. */
export function resolveConnection(name: string, settings: Settings): Connection {
  const connectionString = settings[name] ?? settings[`AzureWebJobs${name}`]
  if (connectionString) return { kind: 'string', connectionString }
  const section = (key: string): string | undefined =>
    settings[`${name}__${key}`] ?? settings[`${name}:${key}`]
  const namespace = section('fullyQualifiedNamespace')
  if (namespace) {
    const clientId = section('clientId')
    return { kind: 'identity', namespace, ...(clientId ? { clientId } : {}) }
  }
  throw new Error(
    `the Service Bus connection needs a setting '${name}' (connection string) or '${name}__fullyQualifiedNamespace'`,
  )
}

/** True for `AzureWebJobs.<Name>.Disabled` of `true` or `1` (dots may be `__`, as on Linux plans). */
export function isDisabled(functionName: string, settings: Settings): boolean {
  const wanted = `azurewebjobs.${functionName}.disabled`.toLowerCase()
  const value = Object.entries(settings).find(
    ([name]) => name.replaceAll('__', '.').toLowerCase() === wanted,
  )?.[1]
  return value === '1' || value?.toLowerCase() === 'true'
}

/** Merges settings into process.env; disposing puts back what was there. */
export function openEnvironment(settings: Settings): Disposable {
  const before = new Map(Object.keys(settings).map((name) => [name, process.env[name]]))
  Object.assign(process.env, settings)
  return {
    [Symbol.dispose]: () => {
      for (const [name, value] of before) {
        if (value === undefined) Reflect.deleteProperty(process.env, name)
        else process.env[name] = value
      }
    },
  }
}

/** Every setting that the app sees: the environment of the process with the given settings over it. */
export function effectiveSettings(settings: Settings): Settings {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return { ...Object.fromEntries(inherited), ...settings }
}
