import { secretBundle, secretItem, deletionFields, type VaultView } from './bundle.ts'
import { failures, fail, succeed, type Failure, type Outcome } from './failure.ts'
import { cutPage } from './page.ts'
import { decodeBackup, encodeBackup, readBackup, readSet, readUpdate } from './request.ts'
import type { SecretTable } from './secret-table.ts'
import * as rules from './secret.ts'

/** One call of the REST API, with everything that its effect depends on. */
interface Call {
  readonly vault: VaultView
  readonly secrets: SecretTable
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly newVersion: () => string
  readonly name: string
  readonly version: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
}

export interface Answer {
  readonly status: number
  readonly body?: object
}

export interface Operation {
  /** As in the REST reference; calls are counted and faults matched by it. */
  readonly name: string
  readonly method: string
  readonly path: RegExp
  readonly run: (call: Call) => Outcome<Answer>
}

/** The first that fits is the one. */
export const operations: readonly Operation[] = [
  { name: 'getSecrets', method: 'GET', path: /^\/secrets\/?$/, run: getSecrets },
  { name: 'restoreSecret', method: 'POST', path: /^\/secrets\/restore$/, run: restoreSecret },
  {
    name: 'backupSecret',
    method: 'POST',
    path: /^\/secrets\/(?<name>[^/]+)\/backup$/,
    run: backupSecret,
  },
  {
    name: 'getSecretVersions',
    method: 'GET',
    path: /^\/secrets\/(?<name>[^/]+)\/versions$/,
    run: getSecretVersions,
  },
  { name: 'setSecret', method: 'PUT', path: /^\/secrets\/(?<name>[^/]+)$/, run: setSecret },
  {
    name: 'deleteSecret',
    method: 'DELETE',
    path: /^\/secrets\/(?<name>[^/]+)$/,
    run: deleteSecret,
  },
  {
    name: 'getSecret',
    method: 'GET',
    path: /^\/secrets\/(?<name>[^/]+)(\/(?<version>[^/]*))?$/,
    run: getSecret,
  },
  {
    name: 'updateSecret',
    method: 'PATCH',
    path: /^\/secrets\/(?<name>[^/]+)(\/(?<version>[^/]*))?$/,
    run: updateSecret,
  },
  {
    name: 'getDeletedSecrets',
    method: 'GET',
    path: /^\/deletedsecrets\/?$/,
    run: getDeletedSecrets,
  },
  {
    name: 'recoverDeletedSecret',
    method: 'POST',
    path: /^\/deletedsecrets\/(?<name>[^/]+)\/recover$/,
    run: recoverDeletedSecret,
  },
  {
    name: 'getDeletedSecret',
    method: 'GET',
    path: /^\/deletedsecrets\/(?<name>[^/]+)$/,
    run: getDeletedSecret,
  },
  {
    name: 'purgeDeletedSecret',
    method: 'DELETE',
    path: /^\/deletedsecrets\/(?<name>[^/]+)$/,
    run: purgeDeletedSecret,
  },
]

function setSecret(call: Call): Outcome<Answer> {
  const read = readSet(call.body)
  if (!read.ok) return read
  const present = rules.writable(find(call), call)
  if (!present.ok) return present
  const { value, ...input } = read.value
  const secret = rules.addVersion(present.value, {
    name: call.name,
    version: call.newVersion(),
    value,
    input,
    now: call.now,
  })
  call.secrets.put(rules.keyOf(call.name), secret)
  return answer({ value, ...secretBundle(call.vault, secret, rules.latestOf(secret)) })
}

function getSecret(call: Call): Outcome<Answer> {
  const secret = rules.active(find(call), call)
  if (!secret.ok) return secret
  const version = rules.findVersion(secret.value, call.version)
  if (!version.ok) return version
  const shown = rules.readable(version.value)
  if (!shown.ok) return shown
  const { value } = shown.value
  return answer({ value, ...secretBundle(call.vault, secret.value, shown.value) })
}

function updateSecret(call: Call): Outcome<Answer> {
  const read = readUpdate(call.body)
  if (!read.ok) return read
  const secret = rules.active(find(call), call)
  if (!secret.ok) return secret
  const change = { version: call.version, input: read.value, now: call.now }
  const changed = rules.updateVersion(secret.value, change)
  if (!changed.ok) return changed
  call.secrets.put(rules.keyOf(call.name), changed.value.secret)
  return answer(secretBundle(call.vault, changed.value.secret, changed.value.updated))
}

function deleteSecret(call: Call): Outcome<Answer> {
  const secret = rules.active(find(call), call)
  if (!secret.ok) return secret
  const removed = rules.remove(secret.value, call.now, call.vault.retention)
  call.secrets.put(rules.keyOf(call.name), removed)
  return answer({
    ...deletionFields(call.vault, removed),
    ...secretBundle(call.vault, removed, rules.latestOf(removed)),
  })
}

function getDeletedSecret(call: Call): Outcome<Answer> {
  const secret = rules.deleted(find(call), call)
  if (!secret.ok) return secret
  return answer({
    ...deletionFields(call.vault, secret.value),
    ...secretBundle(call.vault, secret.value, rules.latestOf(secret.value)),
  })
}

function recoverDeletedSecret(call: Call): Outcome<Answer> {
  const secret = settled(call, failures.notFound(call.name))
  if (!secret.ok) return secret
  const recovered = rules.recover(secret.value, call.now, call.vault.retention)
  call.secrets.put(rules.keyOf(call.name), recovered)
  return answer(secretBundle(call.vault, recovered, rules.latestOf(recovered)))
}

function purgeDeletedSecret(call: Call): Outcome<Answer> {
  const secret = settled(call, failures.deletedNotFound(call.name))
  if (!secret.ok) return secret
  call.secrets.remove(rules.keyOf(call.name))
  return succeed({ status: 204 })
}

function backupSecret(call: Call): Outcome<Answer> {
  const secret = rules.active(find(call), call)
  return secret.ok ? answer({ value: encodeBackup(secret.value) }) : secret
}

function restoreSecret(call: Call): Outcome<Answer> {
  const read = readBackup(call.body)
  if (!read.ok) return read
  const secret = decodeBackup(read.value.value)
  if (!secret.ok) return secret
  const { name } = secret.value
  const present = rules.writable(call.secrets.get(rules.keyOf(name)), { name, now: call.now })
  if (!present.ok) return present
  if (present.value) return fail(failures.alreadyThere(name))
  call.secrets.put(rules.keyOf(name), secret.value)
  return answer(secretBundle(call.vault, secret.value, rules.latestOf(secret.value)))
}

function getSecrets(call: Call): Outcome<Answer> {
  const rows = call.secrets
    .entries()
    .filter(([, secret]) => rules.phaseOf(secret, call.now) === 'active')
    .map(([key, secret]) => [key, secretItem(call.vault, secret)] as const)
  return list(call, rows)
}

function getSecretVersions(call: Call): Outcome<Answer> {
  const secret = rules.active(find(call), call)
  // unlike every other operation this one answers an unknown name with an empty list
  if (!secret.ok) return list(call, [])
  const rows = secret.value.versions.map(
    (version) => [version.version, secretBundle(call.vault, secret.value, version)] as const,
  )
  return list(call, rows)
}

function getDeletedSecrets(call: Call): Outcome<Answer> {
  const rows = call.secrets.entries().flatMap(([key, each]) => {
    const secret = rules.deleted(each, { name: each.name, now: call.now })
    if (!secret.ok) return []
    const item = secretItem(call.vault, secret.value)
    return [[key, { ...deletionFields(call.vault, secret.value), ...item }] as const]
  })
  return list(call, rows)
}

function list(call: Call, rows: readonly (readonly [string, object])[]): Outcome<Answer> {
  const page = cutPage(rows, call.query)
  if (!page.ok) return page
  const { items, nextQuery } = page.value
  const nextLink = nextQuery ? `${call.vault.origin}${call.path}?${nextQuery.toString()}` : null
  return answer({ value: items, nextLink })
}

/** A deleted secret for recovery or purge, which must wait for the end of the deletion. */
function settled(call: Call, absent: Failure): Outcome<rules.Secret> {
  const secret = rules.deleted(find(call), call)
  if (secret.ok) return secret
  const underWay = rules.writable(find(call), call)
  return underWay.ok ? fail(absent) : underWay
}

function find(call: Call): rules.Secret | undefined {
  return call.secrets.get(rules.keyOf(call.name))
}

function answer(body: object): Outcome<Answer> {
  return succeed({ status: 200, body })
}
