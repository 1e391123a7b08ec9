import type { app } from '@azure/functions'

/** The programming model's registry, as an argument, so that an entry may be loaded more than once. */
export type FunctionApp = typeof app
