import { DatabaseSync } from 'node:sqlite'
import {
  createContainer,
  restoreItems,
  type Container,
  type ContainerDefinition,
  type Item,
  type ItemChange,
} from './container.ts'
import type { JsonObject } from './json.ts'
import { keyOf, keyText } from './partition-key.ts'
import type { Store } from './store.ts'
import { expiryOf } from './time-to-live.ts'

/** A file that holds what the emulator has answered for. */
export interface Persistence extends Disposable {
  /** Writes what has changed since the last call, in one transaction. */
  readonly flush: () => void
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS databases (
    id TEXT PRIMARY KEY, rid TEXT NOT NULL, etag TEXT NOT NULL, modified_ms INTEGER NOT NULL,
    throughput TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS containers (
    rid TEXT PRIMARY KEY, database TEXT NOT NULL, nonce TEXT NOT NULL, etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL, definition TEXT NOT NULL,
    last_sequence INTEGER NOT NULL, last_lsn INTEGER NOT NULL, throughput TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS items (
    container TEXT NOT NULL, sequence INTEGER NOT NULL, lsn INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (container, sequence)
  ) WITHOUT ROWID;
`

/** Opens or makes the file, puts what it holds into the store, and keeps it up to date from then on. */
export function openPersistence(path: string, store: Store): Persistence {
  const file = new DatabaseSync(path)
  file.exec(SCHEMA)
  load(file, store)
  const statements = prepare(file)
  let savedDefinitions = store.definitionsVersion
  return {
    flush: () => {
      const changes = store.journal?.splice(0) ?? []
      if (changes.length === 0 && savedDefinitions === store.definitionsVersion) return
      inTransaction(file, () => {
        if (savedDefinitions !== store.definitionsVersion) saveDefinitions(file, statements, store)
        saveItems(statements, changes)
      })
      savedDefinitions = store.definitionsVersion
    },
    [Symbol.dispose]: () => file.close(),
  }
}

type Statements = ReturnType<typeof prepare>

function prepare(file: DatabaseSync) {
  return {
    putDatabase: file.prepare('INSERT INTO databases VALUES (?, ?, ?, ?, ?)'),
    putContainer: file.prepare('INSERT INTO containers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    count: file.prepare('UPDATE containers SET last_sequence = ?, last_lsn = ? WHERE rid = ?'),
    putItem: file.prepare('INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)'),
    removeItem: file.prepare('DELETE FROM items WHERE container = ? AND sequence = ?'),
  }
}

function inTransaction(file: DatabaseSync, work: () => void): void {
  file.exec('BEGIN')
  try {
    work()
    file.exec('COMMIT')
  } catch (error) {
    file.exec('ROLLBACK')
    throw error
  }
}

function saveItems(statements: Statements, changes: readonly ItemChange[]): void {
  for (const { kind, container, item } of changes) {
    if (kind === 'remove') statements.removeItem.run(container.rid, item.sequence)
    else {
      const { sequence, lsn, modifiedMs, document } = item
      const text = JSON.stringify(document)
      statements.putItem.run(container.rid, sequence, lsn, modifiedMs, text)
    }
  }
  // The counters are kept apart from the items, because a deleted item may have had the highest ones.
  for (const container of new Set(changes.map((change) => change.container))) {
    statements.count.run(container.lastSequence, container.lastLsn, container.rid)
  }
}

function saveDefinitions(file: DatabaseSync, statements: Statements, store: Store): void {
  file.exec('DELETE FROM databases; DELETE FROM containers')
  for (const { id, rid, etag, modifiedMs, throughput, containers } of store.databases.values()) {
    statements.putDatabase.run(id, rid, etag, modifiedMs, JSON.stringify(throughput ?? null))
    for (const container of containers.values()) {
      statements.putContainer.run(
        container.rid,
        id,
        container.nonce,
        container.etag,
        container.modifiedMs,
        JSON.stringify(container.definition),
        container.lastSequence,
        container.lastLsn,
        JSON.stringify(container.throughput ?? null),
      )
    }
  }
  file.exec('DELETE FROM items WHERE container NOT IN (SELECT rid FROM containers)')
}

function load(file: DatabaseSync, store: Store): void {
  for (const row of file.prepare('SELECT * FROM databases').all()) {
    const id = String(row['id'])
    store.databases.set(id, {
      id,
      rid: String(row['rid']),
      etag: String(row['etag']),
      modifiedMs: Number(row['modified_ms']),
      throughput: loadThroughput(row),
      containers: new Map(),
    })
  }
  const items = file.prepare('SELECT * FROM items WHERE container = ? ORDER BY sequence')
  for (const row of file.prepare('SELECT * FROM containers ORDER BY rowid').all()) {
    const container = createContainer({
      rid: String(row['rid']),
      nonce: String(row['nonce']),
      etag: String(row['etag']),
      modifiedMs: Number(row['modified_ms']),
      definition: JSON.parse(String(row['definition'])) as ContainerDefinition, // as saved above
      throughput: loadThroughput(row),
      journal: store.journal,
    })
    container.lastSequence = Number(row['last_sequence'])
    container.lastLsn = Number(row['last_lsn'])
    restoreItems(
      container,
      items.all(container.rid).map((item) => loadItem(container, item)),
    )
    store.databases.get(String(row['database']))?.containers.set(container.definition.id, container)
  }
}

function loadThroughput(row: Readonly<Record<string, unknown>>): JsonObject | undefined {
  return (JSON.parse(String(row['throughput'])) as JsonObject | null) ?? undefined // as saved above
}

function loadItem(container: Container, row: Readonly<Record<string, unknown>>): Item {
  const text = String(row['document'])
  const document = JSON.parse(text) as JsonObject // as saved above
  const key = keyOf(document, container.keyPaths)
  const partitionText = keyText(key)
  const partition = container.partitions.get(partitionText) ?? {
    key,
    text: partitionText,
    items: new Map<string, Item>(),
  }
  container.partitions.set(partitionText, partition)
  return {
    partition,
    id: textOf(document, 'id'),
    sequence: Number(row['sequence']),
    lsn: Number(row['lsn']),
    modifiedMs: Number(row['modified_ms']),
    expiresMs: expiryOf(document, container.definition.defaultTtl),
    bytes: Buffer.byteLength(text),
    terms: container.indexing.countTerms(document),
    etag: textOf(document, '_etag'),
    document,
  }
}

function textOf(document: JsonObject, name: string): string {
  const value = document[name]
  if (typeof value !== 'string') throw new TypeError(`a kept document has no ${name}`)
  return value
}
