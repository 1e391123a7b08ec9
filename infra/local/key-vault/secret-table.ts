import { chmodSync, closeSync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import type { Secret } from './secret.ts'

/** Where the secrets are, by key (`keyOf`). */
export interface SecretTable extends Disposable {
  get(key: string): Secret | undefined
  put(key: string, secret: Secret): void
  remove(key: string): void
  entries(): readonly (readonly [key: string, secret: Secret])[]
}

export function memoryTable(): SecretTable {
  const secrets = new Map<string, Secret>()
  return {
    get: (key) => secrets.get(key),
    put: (key, secret) => void secrets.set(key, secret),
    remove: (key) => void secrets.delete(key),
    entries: () => [...secrets],
    [Symbol.dispose]: () => secrets.clear(),
  }
}

/** Keeps the secrets in a SQLite file that only its owner may read. They are not encrypted in it. */
export async function fileTable(path: string): Promise<SecretTable> {
  const { DatabaseSync } = await import('node:sqlite')
  closeSync(openSync(path, 'a', OWNER_ONLY))
  chmodSync(path, OWNER_ONLY)
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE IF NOT EXISTS secrets (key TEXT PRIMARY KEY, body TEXT NOT NULL)')
  const secrets = memoryTable()
  for (const [key, secret] of read(database)) secrets.put(key, secret)
  const write = database.prepare('INSERT OR REPLACE INTO secrets (key, body) VALUES (?, ?)')
  const erase = database.prepare('DELETE FROM secrets WHERE key = ?')
  return {
    ...secrets,
    put: (key, secret) => {
      write.run(key, JSON.stringify(secret))
      secrets.put(key, secret)
    },
    remove: (key) => {
      erase.run(key)
      secrets.remove(key)
    },
    [Symbol.dispose]: () => {
      database.close()
      secrets[Symbol.dispose]()
    },
  }
}

const OWNER_ONLY = 0o600

const rowShape = z.object({ key: z.string(), body: z.string() })

function read(database: DatabaseSync): [string, Secret][] {
  return database
    .prepare('SELECT key, body FROM secrets')
    .all()
    .map((row) => {
      const { key, body } = rowShape.parse(row)
      return [key, JSON.parse(body) as Secret] // only this file writes the table
    })
}
