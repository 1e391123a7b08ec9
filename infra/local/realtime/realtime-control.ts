import { Control, type ControlCommand } from '../control.ts'

/** The control channel of both realtime emulators. */
export class RealtimeControl extends Control {
  readonly #dropClients: () => void

  constructor(actions: { readonly inspect: () => unknown; readonly dropClients: () => void }) {
    super(actions.inspect)
    this.#dropClients = actions.dropClients
  }

  /** Cuts every client's socket with no close frame, as a broken network would. */
  dropClients(): void {
    this.#dropClients()
  }

  override commands(): Readonly<Record<string, ControlCommand>> {
    return { dropClients: () => this.dropClients() }
  }
}
