/** An error as the service words it: `{ "error": { "code", "message", "innererror": { "code" } } }`. */
export interface Failure {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly innerCode?: string
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure }

export function succeed<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

export function fail(failure: Failure): Outcome<never> {
  return { ok: false, failure }
}

/**
 * Codes and words as in Microsoft's own recordings of the service (azure-sdk-for-js,
 * sdk/keyvault/keyvault-secrets/recordings) where there is one; clients match on some of the words.
 */
export const failures = {
  missingToken: () => unauthorized('AKV10000: Request is missing a Bearer or PoP token.'),
  wrongAudience: (found: string) =>
    unauthorized(`AKV10022: Invalid audience. Expected https://vault.azure.net, found: ${found}.`),
  badToken: (reason: string) => unauthorized(`Error validating token: ${reason}.`),
  badParameter: (message: string): Failure => ({ status: 400, code: 'BadParameter', message }),
  invalidName: (name: string) =>
    failures.badParameter(`The request URI contains an invalid name: ${name}`),
  malformedBackup: (): Failure => ({
    status: 400,
    code: 'Malformed backup blob',
    message: 'Backup blob contains invalid or corrupt version.',
  }),
  disabled: (): Failure => ({
    status: 403,
    code: 'Forbidden',
    message: 'Operation get is not allowed on a disabled secret.',
    innerCode: 'SecretDisabled',
  }),
  notFound: (id: string): Failure => ({
    status: 404,
    code: 'SecretNotFound',
    message: `A secret with (name/id) ${id} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  }),
  deletedNotFound: (name: string): Failure => ({
    status: 404,
    code: 'SecretNotFound',
    message: `Deleted Secret not found: ${name}`,
  }),
  methodNotAllowed: (method: string): Failure => ({
    status: 405,
    code: 'MethodNotAllowed',
    message: `HTTP ${method} not allowed`,
  }),
  recoverable: (name: string) =>
    conflict(
      'ObjectIsDeletedButRecoverable',
      `Secret ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`,
    ),
  beingDeleted: (name: string) =>
    conflict('ObjectIsBeingDeleted', `Secret ${name} is currently being deleted.`),
  beingRecovered: (name: string) =>
    conflict('ObjectIsBeingRecovered', `Secret ${name} is currently being recovered.`),
  alreadyThere: (name: string) =>
    conflict('ObjectAlreadyExists', `A secret with (name/id) ${name} already exists.`),
  throttled: (): Failure => ({
    status: 429,
    code: 'Throttled',
    message:
      'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
  }),
}

function unauthorized(message: string): Failure {
  return { status: 401, code: 'Unauthorized', message }
}

function conflict(innerCode: string, message: string): Failure {
  return { status: 409, code: 'Conflict', message, innerCode }
}
