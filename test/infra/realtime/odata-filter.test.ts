import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Member } from '../../../infra/local/realtime/hub.ts'
import { parseFilter } from '../../../infra/local/realtime/odata-filter.ts'

const ann: Member = { id: 'c1', userId: 'ann', groups: new Set(['blue', 'red']) }
const anonymous: Member = { id: 'c2', userId: undefined, groups: new Set<string>() }

function matches(filter: string, member = ann): boolean | string {
  const parsed = parseFilter(filter)
  return parsed.valid ? parsed.matches(member) : parsed.message
}

test.for([
  ['', true, true],
  ["userId eq 'ann'", true, false],
  ["USERID ne 'ann'", false, true],
  ['userId eq null', false, true],
  ["connectionId in ('c2', 'c3')", false, true],
  ["'blue' in groups", true, false],
  ["'blue' in groups and not('green' in groups)", true, false],
  ["'green' in groups or userId eq null", false, true],
  ["userId eq 'x' or userId eq 'ann' and 'red' in groups", true, false],
  ["(userId eq 'x' or userId eq 'ann') and 'green' in groups", false, false],
  ["startswith(userId, 'a') and not endswith(userId, 'x')", true, false],
  ["contains(userId, 'nn')", true, false],
  ["tolower(toupper(trim(userId))) eq 'ann'", true, false],
  ["substring(userId, 1) eq 'nn' and substring(userId, 0, 1) eq 'a'", true, false],
  ["concat(userId, '''s') eq 'ann''s'", true, false],
  ["indexof(userId, 'n') eq 1", true, false],
  ['length(userId) gt 2 and length(userId) le 3', true, false],
  ['length(groups) ge 2', true, false],
  ['length(userId) lt 10', true, false],
  ['true', true, true],
  ['not true', false, false],
] as const)('%s', ([filter, forAnn, forAnonymous]) => {
  expect([matches(filter), matches(filter, anonymous)]).toEqual([forAnn, forAnonymous])
})

test.for([
  ['invalid filter', "Syntax error at position 14 in 'invalid filter'."],
  ['userId', "Type 'string', expect 'bool'."],
  ['not length(userId) gt 5', "Type 'int', expect 'bool'."],
  ['userId gt 5', "Type 'string', expect 'int'."],
  ["'a' in userId", "Type 'string', expect 'collection'."],
  ["userId eq 'ann", 'Syntax error'],
  ["(userId eq 'ann'", 'Syntax error at position 16'],
  ["userId eq 'ann')", 'Syntax error at position 16'],
  ['userId eq', 'Syntax error at position 9'],
  ["age eq '5'", 'Syntax error'],
  ['age', "'age' is not supported."],
  ["matches(userId, 'a')", "The function 'matches' is not supported."],
  ['startswith(userId)', 'does not take 1 arguments'],
  ['('.repeat(200), 'nests too deeply'],
] as const)('%s is refused', ([filter, because]) => {
  const answer = String(matches(filter))
  expect(answer).toContain(because)
  expect(answer).toMatch(/^Invalid syntax for '.*': .* \(Parameter 'filter'\)$/s)
})

test('no text whatsoever makes the parser throw', () => {
  const words = [
    'userId',
    'groups',
    'eq',
    'in',
    'and',
    'not',
    '(',
    ')',
    ',',
    "'a'",
    '1',
    'null',
    '€',
  ]
  const sentence = fc.array(fc.constantFrom(...words)).map((parts) => parts.join(' '))
  fc.assert(
    fc.property(fc.oneof(fc.string(), sentence), (text) => {
      expect(['boolean', 'string']).toContain(typeof matches(text))
      expect(['boolean', 'string']).toContain(typeof matches(text, anonymous))
    }),
  )
})

test('a filter for any user id, quoted as OData wants it, matches that user', () => {
  fc.assert(
    fc.property(fc.string(), (userId) => {
      const filter = `userId eq '${userId.replaceAll("'", "''")}'`
      expect(matches(filter, { ...ann, userId })).toBe(true)
    }),
  )
})
