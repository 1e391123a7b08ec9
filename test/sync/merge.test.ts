import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/core/canonical-json.ts'
import { isSame, type Equality } from '../../src/sync/change.ts'
import { strategyNames } from '../../src/sync/conflict.ts'
import { mergeDeletion } from '../../src/sync/deletion.ts'
import { linkOf } from '../../src/sync/draft.ts'
import type { FieldMapping } from '../../src/sync/mapping.ts'
import { changeLocally, mergeRow, recordOf } from '../../src/sync/merge.ts'
import { addressed, pushOf, recordPush } from '../../src/sync/push.ts'
import type { IncomingRow, RecordDocument } from '../../src/sync/record.ts'
import { policyOf, type Policy, type Side } from '../../src/sync/side.ts'

const now = new Date('2026-03-01T10:00:00.000Z')
const key = { tenantId: 't', entityType: 'incident', connectionId: 'a' }

function sideOf(
  connectionId: string,
  policy: Partial<Policy> = {},
  rules: Partial<Record<string, Partial<FieldMapping>>> = {},
): Side {
  const fields = ['x', 'y', 'z'].map((name) => ({
    local: name,
    external: name,
    type: 'text' as const,
    ...rules[name],
  }))
  return {
    connectionId,
    integrationId: connectionId,
    mapping: { entityType: 'incident', fields },
    policy: policyOf(policy),
    pushes: true,
  }
}

const at = (minute: number) => new Date(now.getTime() + minute * 60_000).toISOString()
const row = (fields: JsonObject, minute = 0): IncomingRow => ({
  externalId: 'a-1',
  version: { time: at(minute), count: minute },
  fields,
})
const started = (fields: JsonObject = { x: 'x0', y: 'y0' }) => recordOf(row(fields), { key, now })
const changed = (record: RecordDocument, changes: JsonObject, minute = 1) =>
  changeLocally(record, changes, { by: 'local', now: new Date(at(minute)) }).record

describe('a field', () => {
  test('S42: changed on different sides, both survive', () => {
    const record = changed(started(), { x: 'ours' })
    const merged = mergeRow(record, row({ x: 'x0', y: 'theirs' }, 2), { side: sideOf('a'), now })
    expect(merged.record.fields).toEqual({ x: 'ours', y: 'theirs' })
    expect(merged.conflicts).toEqual([])
    expect(pushOf(merged.record, sideOf('a'))).toMatchObject({
      kind: 'update',
      fields: { x: 'ours' },
    })
  })

  test.for<[Partial<Policy>, Partial<FieldMapping>, Json, Json | undefined]>([
    [{ conflictStrategy: 'local_wins' }, {}, 'ours', 'theirs'],
    [{ conflictStrategy: 'external_wins' }, {}, 'theirs', 'ours'],
    [{ conflictStrategy: 'newest_wins' }, {}, 'theirs', 'ours'],
    [{ conflictStrategy: 'merge', tieBreak: 'external_wins' }, {}, 'theirs', 'ours'],
    [
      { conflictStrategy: 'local_wins', fieldStrategies: { x: 'external_wins' } },
      {},
      'theirs',
      'ours',
    ],
    [{ conflictStrategy: 'custom' }, { custom: 'longest' }, 'theirs', 'ours'],
  ])(
    'S42: changed on both sides with %j %j reads %j, and the loser is kept',
    ([policy, rule, winner, loser]) => {
      const side = sideOf('a', policy, { x: rule })
      const record = changed(started(), { x: 'ours' })
      const merged = mergeRow(record, row({ x: 'theirs' }, 2), { side, now })
      expect(merged.record.fields['x']).toBe(winner)
      expect(merged.conflicts).toMatchObject([
        { status: 'resolved', field: 'x', local: 'ours', external: 'theirs', base: 'x0' },
      ])
      expect([merged.conflicts[0]?.local, merged.conflicts[0]?.external]).toContain(loser)
    },
  )

  test('S43: cleared there is cleared here, and what the row does not mention is untouched', () => {
    const merged = mergeRow(started(), row({ x: null }, 1), { side: sideOf('a'), now })
    expect(merged.record.fields).toEqual({ x: null, y: 'y0' })
    const cleared = changed(started(), { x: null })
    expect(pushOf(cleared, sideOf('a'))).toMatchObject({ fields: { x: null } })
  })

  test('S43: added to a list here and removed from it there, both hold', () => {
    const side = sideOf(
      'a',
      { conflictStrategy: 'merge' },
      { x: { type: 'list', merge: 'set', equality: { set: true } } },
    )
    const record = changed(started({ x: ['1', '2'] }), { x: ['1', '2', '3'] })
    const merged = mergeRow(record, row({ x: ['2'] }, 2), { side, now })
    expect(merged.record.fields['x']).toEqual(['2', '3'])
    expect(pushOf(merged.record, side)).toMatchObject({ fields: { x: ['2', '3'] } })
  })

  test('S46: a conflict in review is re-based when either side moves on, and is over when they agree', () => {
    const side = sideOf('a', { conflictStrategy: 'manual' })
    const held = mergeRow(changed(started(), { x: 'ours' }), row({ x: 'theirs' }, 2), { side, now })
    expect(held.record.fields['x']).toBe('ours')
    expect(pushOf(held.record, side)).toEqual({ kind: 'nothing' })
    const [opened] = held.conflicts
    const there = mergeRow(held.record, row({ x: 'theirs again' }, 3), { side, now })
    expect(there.conflicts).toMatchObject([
      { id: opened?.id, status: 'open', external: 'theirs again' },
    ])
    const here = changeLocally(there.record, { x: 'ours again' }, { by: 'local', now })
    expect(here.conflicts).toMatchObject([{ id: opened?.id, status: 'open', local: 'ours again' }])
    const agreed = mergeRow(here.record, row({ x: 'ours again' }, 4), { side, now })
    expect(agreed.conflicts).toMatchObject([{ id: opened?.id, status: 'resolved' }])
    expect(linkOf(agreed.record, 'a').held).toEqual({})
  })

  test('S33: an older version is ignored, whatever it says', () => {
    const record = mergeRow(started(), row({ x: 'new' }, 5), { side: sideOf('a'), now }).record
    expect(mergeRow(record, row({ x: 'old' }, 4), { side: sideOf('a'), now }).changed).toBe(false)
  })

  test('S45: two systems that keep undoing each other are stopped, and a person sees both values', () => {
    let record = started({ x: 'A' })
    record = {
      ...record,
      links: {
        ...record.links,
        b: { ...linkOf(record, 'b'), externalId: 'b-1', base: { x: 'A' } },
      },
    }
    let frozen = 0
    for (let turn = 1; turn < 40 && frozen === 0; turn += 1) {
      const [name, value] = turn % 2 === 0 ? (['a', 'A'] as const) : (['b', 'B'] as const)
      const side = sideOf(name, { conflictStrategy: 'external_wins' })
      const merged = mergeRow(
        record,
        { ...row({ x: value }, turn), externalId: `${name}-1` },
        { side, now },
      )
      record = merged.record
      frozen = merged.conflicts.filter(({ reason }) => reason === 'oscillation').length
      // The push of the winner to the other one.
      const other = sideOf(name === 'a' ? 'b' : 'a')
      const push = pushOf(record, other)
      if (push.kind === 'update')
        record = recordPush(
          record,
          { push, pushed: { externalId: push.externalId } },
          { side: other, now },
        ).record
    }
    expect(frozen).toBe(1)
  })
})

describe('S41: an echo', () => {
  test.for<[Json, Json, Equality]>([
    [' title ', 'title', {}],
    ['Title', 'TITLE', {}],
    ['a long text', 'a long', {}],
    [1.005, 1, {}],
  ])(
    'of %j that comes back as %j causes nothing, and an edit after it is kept',
    ([ours, theirs, equality]) => {
      const side = sideOf('a', {}, { x: { equality } })
      const record = changed(started(), { x: ours })
      const push = pushOf(record, side)
      const answer = row({ x: theirs, y: 'y0' }, 2)
      const pushed = { externalId: 'a-1', version: answer.version, row: answer }
      const after = recordPush(record, { push, pushed }, { side, now }).record
      expect(after.fields['x']).toBe(ours)
      expect(pushOf(after, side)).toEqual({ kind: 'nothing' })
      expect(mergeRow(after, row({ x: theirs, y: 'y0' }, 3), { side, now }).changed).toBe(false)
      const edit = mergeRow(after, row({ x: 'by a person', y: 'y0' }, 4), { side, now })
      expect(edit.record.fields['x']).toBe('by a person')
      expect(edit.conflicts).toEqual([])
    },
  )
})

test('S32: a row that was created there while another became the copy is told all that only the other has', () => {
  const side = sideOf('a')
  const push = { kind: 'create', marker: 'rec-1.1', fields: { x: 'x0' } } as const
  const pushed = { externalId: 'a-2', version: { time: at(2), count: 0 } }
  const after = recordPush(started(), { push, pushed }, { side, now }).record
  expect(linkOf(after, 'a')).toMatchObject({
    externalId: 'a-2',
    base: { x: 'x0' },
    version: pushed.version,
  })
  expect(pushOf(after, side)).toEqual({ kind: 'update', externalId: 'a-2', fields: { y: 'y0' } })
})

describe('S43: deleted there', () => {
  test('on our word, while somebody brought it back here, it is created there anew', () => {
    const side = sideOf('a')
    const record = started()
    const push = { kind: 'delete', externalId: 'a-1' } as const
    const pushed = { externalId: 'a-1' }
    const alive = recordPush(record, { push, pushed }, { side, now }).record
    expect(pushOf(alive, side)).toMatchObject({ kind: 'create', marker: `${record.id}.1` })
    const deleted = { ...record, deleted: { by: 'b', at: at(1) } }
    const gone = recordPush(deleted, { push, pushed }, { side, now }).record
    expect(pushOf(gone, side)).toEqual({ kind: 'nothing' })
  })

  const gone = (record: RecordDocument, side: Side, minute = 5) =>
    mergeDeletion(record, { side, at: at(minute), now })

  test('and not changed here: it is deleted, and nothing brings it back but the row itself', () => {
    const { record } = gone(started(), sideOf('a'))
    expect(record.deleted).toEqual({ by: 'a', at: at(5) })
    expect(mergeRow(record, row({ x: 'late' }, -1), { side: sideOf('a'), now }).changed).toBe(false)
    expect(gone(record, sideOf('a')).changed).toBe(false)
  })

  test.for<[Policy['conflictStrategy'], boolean, string]>([
    ['local_wins', false, 'create'],
    ['external_wins', true, 'nothing'],
    ['manual', false, 'nothing'],
    ['newest_wins', true, 'nothing'],
  ])(
    'and changed here, with %s: deleted %j, next a %s; what loses is kept',
    ([conflictStrategy, deleted, next]) => {
      const side = sideOf('a', { conflictStrategy })
      const merged = gone(changed(started(), { x: 'ours' }), side)
      expect(merged.record.deleted !== null).toBe(deleted)
      expect(pushOf(merged.record, side).kind).toBe(next)
      expect(merged.conflicts).toMatchObject([
        { field: '', reason: 'deleted_and_changed', local: { x: 'ours' } },
      ])
    },
  )

  test('S12: the deletion goes to the others, and a change that nobody of us had seen there is not lost', () => {
    let record = started()
    record = {
      ...record,
      links: {
        ...record.links,
        b: { ...linkOf(record, 'b'), externalId: 'b-1', base: record.fields },
      },
    }
    const { record: deleted } = gone(record, sideOf('a'))
    const b = sideOf('b')
    expect(addressed(deleted, [sideOf('a'), b]).pending).toEqual(['b'])
    const met = mergeRow(
      deleted,
      { externalId: 'b-1', version: { time: at(6), count: 1 }, fields: { x: 'unseen', y: 'y0' } },
      { side: b, now },
    )
    expect(met.conflicts).toMatchObject([{ external: { x: 'unseen' } }])
  })
})

const textOf = (value: Json | undefined) => (typeof value === 'string' ? value : '')

const values = fc.constantFrom<Json>(null, '', 'a', 'A', ' a ', 'b', 'longer text')
const someFields = fc.record({ x: values, y: values, z: values }, { requiredKeys: [] })
const policies = fc.record({
  conflictStrategy: fc.constantFrom(...strategyNames),
  tieBreak: fc.constantFrom('local_wins', 'external_wins', 'manual'),
} as const)
const rules = fc.record({
  x: fc.constantFrom<Partial<FieldMapping>>(
    {},
    { equality: { trim: true } },
    { equality: { ignoreCase: true } },
  ),
  y: fc.constantFrom<Partial<FieldMapping>>({}, { merge: 'append' }, { custom: 'longest' }),
})

describe('laws of merging', () => {
  const cases = fc.record({
    base: someFields,
    ours: someFields,
    theirs: someFields,
    policy: policies,
    rule: rules,
  })

  test('the same row a second time changes nothing', () => {
    fc.assert(
      fc.property(cases, ({ base, ours, theirs, policy, rule }) => {
        const side = sideOf('a', policy, rule)
        const once = mergeRow(changed(started(base), ours), row(theirs, 2), { side, now })
        const twice = mergeRow(once.record, row(theirs, 2), { side, now })
        expect(twice.changed).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('after one more round nothing is left to push, unless a person has to decide', () => {
    fc.assert(
      fc.property(cases, ({ base, ours, theirs, policy, rule }) => {
        const side = sideOf('a', policy, rule)
        const { record } = mergeRow(changed(started(base), ours), row(theirs, 2), { side, now })
        const push = pushOf(record, side)
        if (push.kind !== 'update') return
        const answer = row({ ...theirs, ...push.fields }, 3)
        const pushed = { externalId: 'a-1', version: answer.version, row: answer }
        const after = recordPush(record, { push, pushed }, { side, now }).record
        expect(pushOf(after, side)).toEqual({ kind: 'nothing' })
        expect(mergeRow(after, answer, { side, now }).changed).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('no field that neither side has changed ever moves', () => {
    fc.assert(
      fc.property(cases, ({ base, ours, theirs, policy, rule }) => {
        const side = sideOf('a', policy, rule)
        const before = changed(started(base), ours)
        const { record } = mergeRow(before, row(theirs, 2), { side, now })
        const unmoved = Object.keys({ ...base, ...ours }).filter((name) => {
          const equality = side.mapping.fields.find(({ local }) => local === name)?.equality
          return !(name in theirs) || isSame(theirs[name as 'x'], base[name as 'x'], equality)
        })
        const values = ({ fields }: RecordDocument) => unmoved.map((name) => fields[name])
        expect(values(record)).toEqual(values(before))
      }),
      { numRuns: 500 },
    )
  })

  test('a value that both sides changed is here afterwards, or in a conflict, or the same', () => {
    fc.assert(
      fc.property(cases, ({ base, ours, theirs, policy, rule }) => {
        const side = sideOf('a', policy, rule)
        const before = changed(started(base), ours)
        const { record, conflicts } = mergeRow(before, row(theirs, 2), { side, now })
        for (const [name, value] of Object.entries(theirs)) {
          const equality = side.mapping.fields.find(({ local }) => local === name)?.equality
          const kept = [
            record.fields[name],
            base[name as 'x'],
            ...conflicts.map(({ external }) => external),
          ]
          const grown = textOf(value).slice(textOf(base[name as 'x']).length)
          const appended = textOf(record.fields[name]).includes(grown)
          expect(appended || kept.some((one) => isSame(one, value, equality))).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('two systems that change different fields meet alike, whoever is heard first', () => {
    fc.assert(
      fc.property(values, values, (x, y) => {
        let record = started({ x: 'x0', y: 'y0' })
        record = {
          ...record,
          links: {
            ...record.links,
            b: { ...linkOf(record, 'b'), externalId: 'b-1', base: record.fields },
          },
        }
        const fromA = row({ x, y: 'y0' }, 2)
        const fromB = {
          externalId: 'b-1',
          version: { time: at(3), count: 1 },
          fields: { x: 'x0', y },
        }
        const tell = (to: RecordDocument, name: string) =>
          mergeRow(to, name === 'a' ? fromA : fromB, { side: sideOf(name), now }).record
        expect(tell(tell(record, 'a'), 'b').fields).toEqual(tell(tell(record, 'b'), 'a').fields)
      }),
    )
  })
})
