import type { Control } from './control.ts'

/** One service of the cloud, running on 127.0.0.1 until it is disposed. */
export interface Emulator<C extends Control = Control> extends AsyncDisposable {
  readonly name: string
  /** The environment variables with which production code finds it. */
  readonly settings: Readonly<Record<string, string>>
  readonly control: C
}

/** Every emulator's `start` takes at least this. */
export interface EmulatorOptions {
  /** TCP port on 127.0.0.1; 0 or absent takes any free one. */
  readonly port?: number
  /** Milliseconds added to every answer, as a network would. */
  readonly latencyMs?: number
}
