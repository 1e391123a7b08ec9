/** Large bodies, by name. Throws `blob_unavailable` when they cannot be reached. */
export interface Blobs {
  /** Writing the same name again replaces what was there. */
  put(name: string, bytes: Uint8Array): Promise<void>
  get(name: string): Promise<Uint8Array | undefined>
}
