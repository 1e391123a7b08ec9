/** Where secrets live, and nowhere else. Throws `vault_unavailable` when it cannot be reached. */
export interface Vault {
  /** The latest version; undefined when there is none. */
  get(name: string): Promise<string | undefined>
  set(name: string, value: string): Promise<void>
  ping(): Promise<void>
}
