import type { Instance } from './instance.ts'

/** Who may call the instance, and with what. */
export interface Credentials {
  readonly clientId: string
  readonly clientSecret: string
  /** The integration user; client credentials and the API key act as this user. */
  readonly userName: string
  readonly password: string
  readonly apiKey: string
  /** IANA name; display values are in it. The vendor's advice is GMT (facts A2, Values). */
  readonly timeZone: string
}

export const DEFAULT_CREDENTIALS: Credentials = {
  clientId: 'local-servicenow-client',
  clientSecret: 'local-servicenow-secret',
  userName: 'syncline.integration',
  password: 'local-servicenow-password',
  apiKey: 'local-servicenow-api-key',
  timeZone: 'GMT',
}

/** The account behind a call. */
export interface Account {
  readonly sysId: string
  readonly userName: string
  readonly timeZone: string
}

/** Users of the instance by their `user_name`; a password that was never set opens nothing. */
export class Accounts {
  readonly #instance: Instance
  readonly #passwords = new Map<string, string>()

  constructor(instance: Instance, { userName, password, timeZone }: Credentials) {
    this.#instance = instance
    this.#passwords.set(userName, password)
    addAdministrator(instance)
    const fields = { user_name: userName, name: 'Syncline Integration', active: 'true' }
    instance.referTo('sys_user', userName, { ...fields, time_zone: timeZone })
  }

  setPassword(userName: string, password: string): void {
    this.#passwords.set(userName, password)
  }

  /** An active user of that name. */
  find(userName: string): Account | undefined {
    const row = this.#instance.userNamed(userName)
    if (row?.['active'] !== 'true') return undefined
    return { sysId: row['sys_id'] ?? '', userName, timeZone: row['time_zone'] || 'GMT' }
  }

  signIn(userName: string, password: string): Account | undefined {
    return this.#passwords.get(userName) === password ? this.find(userName) : undefined
  }
}

/** Every instance has this user, with this sys_id. Nobody knows its password until the control sets one. */
const ADMINISTRATOR = {
  sys_id: '6816f79cc0a8016401c5a33be04be441',
  user_name: 'admin',
  name: 'System Administrator',
  email: 'admin@example.com',
  active: 'true',
  time_zone: 'GMT',
}

function addAdministrator(instance: Instance): void {
  instance.referTo('sys_user', 'admin', ADMINISTRATOR)
}
