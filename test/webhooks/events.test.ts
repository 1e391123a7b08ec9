import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readerFor } from '../../src/webhooks/events/index.ts'
import type { Meaning } from '../../src/webhooks/events/meaning.ts'
import { schemes } from '../../src/webhooks/schemes.ts'
import { rows } from './event-rows.ts'

const data = path.join(import.meta.dirname, '../../../shared/data')

test.for(rows)('%s: %s', ([scheme, , headers, body, expected]) => {
  expect(readerFor(scheme).toEvents(headers, body).map(told)).toEqual(expected)
})

function told(meaning: Meaning): string {
  if (meaning.kind === 'malformed') return `malformed ${meaning.reason}`
  if (meaning.kind !== 'event') return `${meaning.kind} ${meaning.eventType}`
  const { operation, entityType, externalId, sourceVersion } = meaning
  return [operation, entityType, externalId, sourceVersion].filter(Boolean).join(' ')
}

const updates = path.join(data, 'whatsapp/pywa_updates.json')

test('every published body of WhatsApp is understood', () => {
  const bodies: unknown[] = existsSync(updates)
    ? Object.values(JSON.parse(readFileSync(updates, 'utf8')) as Record<string, object>).flatMap(
        (group) => Object.values(group),
      )
    : [{ entry: [{ changes: [{ field: 'account_update', value: {} }] }] }]
  const meanings = bodies.flatMap((body) => readerFor('whatsapp').toEvents({}, body))
  expect(meanings.filter(({ kind }) => kind === 'malformed' || kind === 'unknown')).toEqual([])
  expect(meanings.length).toBeGreaterThanOrEqual(bodies.length)
})

test.for(Object.keys(schemes))('%s: whatever JSON comes, reading it ends in meanings', (scheme) => {
  const reader = readerFor(scheme)
  const names = ['type', 'event', 'action', 'value', 'entry', 'events', 'data', 'id', '__proto__']
  const key = fc.constantFrom(...names)
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }))
  const headers = fc.dictionary(fc.constantFrom('content-type', ...reader.headers), fc.string())
  fc.assert(
    fc.property(headers, tree, (head, body) => {
      for (const meaning of reader.toEvents(head, body)) {
        expect(['event', 'resync', 'notice', 'unknown', 'malformed']).toContain(meaning.kind)
        expect(meaning).not.toMatchObject({ externalId: '' })
      }
    }),
    { numRuns: 100 },
  )
})
