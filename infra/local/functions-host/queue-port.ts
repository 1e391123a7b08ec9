import type { QueueTrigger } from './functions.ts'
import type { Connection } from './app-settings.ts'
import type { OutgoingMessage } from './queue-output.ts'
import type { QueueMessage } from './queue-message.ts'

/** Takes messages of one queue until it is told to stop. */
export interface QueueListener extends AsyncDisposable {
  /** Takes no further messages; resolves when those under way are settled, however long that takes. */
  readonly stop: () => Promise<void>
}

export interface ListenRequest {
  readonly trigger: QueueTrigger
  /** Runs the function; true when it succeeded. */
  readonly handle: (messages: readonly QueueMessage[]) => Promise<boolean>
  /** What went wrong at the bus, for the log; listening goes on. */
  readonly problem: (message: string) => void
}

/** What the host needs of a message bus. */
export interface QueueBus extends AsyncDisposable {
  readonly listen: (request: ListenRequest) => QueueListener
  readonly send: (
    connection: Connection,
    queue: string,
    messages: readonly OutgoingMessage[],
  ) => Promise<void>
}
