import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseQuery } from '../../../infra/local/vendors/servicenow/encoded-query.ts'
import { toStamp } from '../../../infra/local/vendors/servicenow/values.ts'
import { startTwin } from './servicenow-client.ts'

const ROWS = [
  {
    number: 'A',
    state: '1',
    category: 'network',
    sys_mod_count: '9',
    opened_at: '2026-01-01 00:00:00',
  },
  {
    number: 'B',
    state: '2',
    category: 'Network',
    sys_mod_count: '10',
    opened_at: '2026-01-02 12:00:00',
  },
  {
    number: 'C',
    state: '2',
    category: 'hardware',
    sys_mod_count: '2',
    opened_at: '2026-01-03 00:00:00',
  },
  { number: 'D', state: '7', category: 'a^b,c', sys_mod_count: '0', opened_at: '' },
]

async function startWithRows() {
  const twin = await startTwin()
  const caller = twin.control.create('sys_user', { user_name: 'beth', email: 'beth@example.com' })
  for (const row of ROWS)
    twin.control.create('incident', {
      ...row,
      caller_id: row.number === 'C' ? (caller['sys_id'] ?? '') : '',
      description: row.number === 'A' ? 'network' : '',
    })
  return twin
}

test('each operator finds what it names', async () => {
  await using twin = await startWithRows()
  const expected: Readonly<Record<string, string>> = {
    '': 'ABCD',
    'state=2': 'BC',
    'state!=2': 'AD',
    'sys_mod_count>2': 'AB',
    'sys_mod_count>=2': 'ABC',
    'sys_mod_count<10': 'ACD',
    'sys_mod_count<=2': 'CD',
    'opened_at>2026-01-02 12:00:00': 'C',
    'opened_at<2026-01-02': 'A',
    'category=network': 'AB',
    categoryLIKEwork: 'AB',
    'categoryNOT LIKEwork': 'CD',
    categoryNOTLIKEwork: 'CD',
    categorySTARTSWITHhard: 'C',
    categoryENDSWITHwork: 'AB',
    'numberINA,D': 'AD',
    'numberNOT INA,D': 'BC',
    caller_idISEMPTY: 'ABD',
    caller_idISNOTEMPTY: 'C',
    caller_idEMPTYSTRING: 'ABD',
    stateANYTHING: 'ABCD',
    'sys_mod_countBETWEEN2@9': 'AC',
    categorySAMEASdescription: 'A',
    categoryNSAMEASdescription: 'BCD',
    sys_class_nameINSTANCEOFtask: 'ABCD',
    sys_class_nameINSTANCEOFproblem: '',
    'caller_id.email=beth@example.com': 'C',
    'caller_id.emailISEMPTY': 'ABD',
    "opened_at>javascript:gs.dateGenerate('2026-01-02','00:00:00')": 'BC',
    'sys_created_on>javascript:gs.minutesAgo(5)': 'ABCD',
    'sys_created_on<javascript:gs.daysAgo(1)': '',
  }
  for (const [query, numbers] of Object.entries(expected))
    expect([query, (await twin.numbers(query)).join('')]).toEqual([query, numbers])
})

test('terms are joined by AND, OR inside a clause, OR between groups; a double caret is a caret', async () => {
  await using twin = await startWithRows()
  const expected: Readonly<Record<string, string>> = {
    'state=2^category=hardware': 'C',
    'category=network^state=1^ORstate=2': 'AB',
    'state=1^NQstate=7': 'AD',
    'state=2^category=hardware^NQstate=1^ORstate=7^category=network': 'AC',
    'category=a^^b,c': 'D',
    'category=a^b,c': '',
    'state=2^EQ': 'BC',
  }
  for (const [query, numbers] of Object.entries(expected))
    expect([query, (await twin.numbers(query)).join('')]).toEqual([query, numbers])
})

test('an order applies to the whole query, wherever it is written', async () => {
  await using twin = await startWithRows()
  const expected: Readonly<Record<string, string>> = {
    ORDERBYDESCnumber: 'DCBA',
    ORDERBYsys_mod_count: 'DCAB',
    'ORDERBYDESCstate^ORDERBYDESCnumber': 'DCBA',
    'state=2^ORDERBYDESCnumber^NQstate=7': 'DCB',
    'ORDERBYcaller_id.email^ORDERBYDESCnumber': 'DBAC',
    ORDERBYnonsense: 'ABCD',
  }
  for (const [query, numbers] of Object.entries(expected))
    expect([query, (await twin.numbers(query)).join('')]).toEqual([query, numbers])
})

test.for(['nonsense=1', 'state~2', 'caller_id.nonsense=1', 'number.name=A', 'RLQUERYx', 'STATE=2'])(
  'a bad term %s is passed over, which widens the result, unless the property forbids it',
  async (term) => {
    await using twin = await startWithRows()
    expect((await twin.numbers(`state=2^${term}`)).join('')).toBe('BC')
    expect((await twin.numbers(term)).join('')).toBe('ABCD')
    twin.control.setProperty('glide.invalid_query.returns_no_rows', 'true')
    expect(await twin.numbers(`state=2^${term}`)).toEqual([])
  },
)

test('field=value pairs filter when there is no query', async () => {
  await using twin = await startWithRows()
  const names = async (parameters: Record<string, string>) =>
    (await twin.list('incident', parameters)).rows.map((row) => row['number']).join('')
  expect(await names({ state: '2', category: 'hardware' })).toBe('C')
  expect(await names({ state: '2', sysparm_query: 'number=A' })).toBe('A')
})

test('reading a query never throws, and a value with its carets doubled is read back', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ minLength: 1 }), (noise, value) => {
      parseQuery(noise, () => true)
      const query = parseQuery(`category=${value.replaceAll('^', '^^')}^state=1`, () => true)
      expect(query.groups).toEqual([
        [
          [{ field: 'category', operator: '=', value }],
          [{ field: 'state', operator: '=', value: '1' }],
        ],
      ])
    }),
  )
})

test('a page by (stamp, id) holds what sorting the whole table finds', async () => {
  await using twin = await startTwin()
  const start = twin.control.clock.now() - 100_000
  const at = (seconds: number) => toStamp(start + seconds * 1000)
  for (let index = 0; index < 30; index += 1)
    twin.control.create('incident', { sys_updated_on: at(index % 9), state: String(index % 3) })
  const bound = fc
    .tuple(fc.constantFrom('>', '>=', '=', '<', '<=', '!='), fc.nat(9))
    .map(([operator, seconds]) => `sys_updated_on${operator}${at(seconds)}`)
  const term = fc.oneof(
    bound,
    fc.nat(2).map((state) => `state=${state}`),
  )
  const clause = fc.array(term, { minLength: 1, maxLength: 2 }).map((terms) => terms.join('^OR'))
  const group = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join('^'))
  const query = fc.array(group, { minLength: 1, maxLength: 2 }).map((groups) => groups.join('^NQ'))
  await fc.assert(
    fc.asyncProperty(query, async (encoded) => {
      const order = `${encoded}^ORDERBYsys_updated_on^ORDERBYsys_id`
      expect(await twin.numbers(order)).toEqual(await twin.numbers(`${order}^ORDERBYnumber`))
    }),
  )
})

/** The walk of facts A5: stamp and id of the last row that was seen. */
async function walk(twin: Awaited<ReturnType<typeof startTwin>>, limit: number): Promise<string[]> {
  const seen: string[] = []
  let [stamp, last] = ['2000-01-01 00:00:00', '']
  for (;;) {
    const { rows } = await twin.list('incident', {
      sysparm_query: `sys_updated_on>${stamp}^NQsys_updated_on=${stamp}^sys_id>${last}^ORDERBYsys_updated_on^ORDERBYsys_id`,
      sysparm_limit: String(limit),
      sysparm_fields: 'sys_id,sys_updated_on',
    })
    for (const row of rows) seen.push(row['sys_id'] ?? '')
    const row = rows.at(-1)
    if (!row) return seen
    ;[stamp, last] = [row['sys_updated_on'] ?? '', row['sys_id'] ?? '']
  }
}

test('the keyset walk sees every row once, however many share a second and however they were changed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(30), fc.nat(3), fc.nat(5)), { maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      async (steps, limit) => {
        await using twin = await startTwin({ count: 10 })
        await twin.numbers('ORDERBYsys_updated_on')
        const { control } = twin
        for (const [at, kind, seconds] of steps) {
          const row = control.rows('incident')[at % 10]
          if (kind === 0) control.clock.advance(seconds * 1000)
          if (kind === 1) control.create('incident', {})
          if (kind === 2 && row)
            control.update('incident', row['sys_id'] ?? '', { category: `${seconds}` })
          if (kind === 3) control.commitLate('incident', {}, seconds)
        }
        const rows = control
          .rows('incident')
          .map((row) => `${row['sys_updated_on']} ${row['sys_id']}`)
        expect(await walk(twin, limit)).toEqual(rows.sort().map((key) => key.slice(-32)))
      },
    ),
    { numRuns: 15 },
  )
})

test('offset pages skip a row that moves; the stamp order runs both ways', async () => {
  await using twin = await startTwin({ count: 6 })
  const page = async (offset: string, order: string) =>
    (
      await twin.list('incident', {
        sysparm_query: order,
        sysparm_limit: '3',
        sysparm_offset: offset,
      })
    ).rows.map((row) => row['sys_id'] ?? '')
  const order = 'ORDERBYsys_updated_on^ORDERBYsys_id'
  const descending = 'ORDERBYDESCsys_updated_on^ORDERBYDESCsys_id'
  const all = [...(await page('0', order)), ...(await page('3', order))]
  expect([...(await page('0', descending)), ...(await page('3', descending))]).toEqual(
    all.toReversed(),
  )
  twin.control.update('incident', all[0] ?? '', { category: 'moved' })
  expect(await page('3', order)).not.toContain(all[3])
})
