import type { ContainerPlace } from './answer.ts'

/** The words the service uses for a status in an error body's `code`. */
const CODES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  412: 'PreconditionFailed',
  413: 'RequestEntityTooLarge',
  424: 'FailedDependency',
  429: 'TooManyRequests',
}

/** A refusal: HTTP status, the service's substatus where clients look at it, and a message. */
export class CosmosError extends Error {
  readonly status: number
  readonly substatus: number | undefined
  /** The container that refused: its clients learn even then how far it has come. */
  container: ContainerPlace | undefined

  constructor(status: number, message: string, substatus?: number) {
    super(message)
    this.name = 'CosmosError'
    this.status = status
    this.substatus = substatus
  }

  by(container: ContainerPlace): CosmosError {
    const refusal = new CosmosError(this.status, this.message, this.substatus)
    refusal.container = container
    return refusal
  }

  get code(): string {
    return CODES[this.status] ?? String(this.status)
  }
}

export const SUBSTATUS = {
  partitionKeyMismatch: 1001,
  crossPartitionNotServable: 1004,
  readSessionNotAvailable: 1002,
  ownerNotFound: 1003,
  requestRateTooLarge: 3200,
} as const

export function badRequest(message: string, substatus?: number): CosmosError {
  return new CosmosError(400, message, substatus)
}

export function notFound(): CosmosError {
  return new CosmosError(
    404,
    'Entity with the specified id does not exist in the system. More info: https://aka.ms/cosmosdb-tsg-not-found',
  )
}

export function ownerNotFound(): CosmosError {
  return new CosmosError(404, 'Owner resource does not exist', SUBSTATUS.ownerNotFound)
}

export function conflict(): CosmosError {
  return new CosmosError(409, 'Entity with the specified id already exists in the system.')
}

export function preconditionFailed(): CosmosError {
  return new CosmosError(
    412,
    'Operation cannot be performed because one of the specified precondition is not met.',
  )
}
