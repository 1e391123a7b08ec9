export interface SecretVersion {
  readonly value: string
  /** Names this value for ever; later values get versions of their own. */
  readonly version: string
}

/** Where secrets live, and nowhere else. Throws `vault_unavailable` when it cannot be reached. */
export interface Vault {
  /** The value of a version, or of the latest; undefined when there is none that may be read. */
  get(name: string, version?: string): Promise<string | undefined>
  latest(name: string): Promise<SecretVersion | undefined>
  /** Adds a version and tells its name; the former versions stay. A secret that was removed comes back. */
  set(name: string, value: string, expiresAt?: Date): Promise<string>
  /** Removes a secret with all its versions; one that is not there is no error. */
  remove(name: string): Promise<void>
  ping(): Promise<void>
}
