import { expect, test } from 'vitest'
import { github } from '../../../src/connectors/github/index.ts'
import { signal } from '../rig.ts'
import { now, serve, type Asked, type Told } from './server.ts'

const stream = github.configure({ entityType: 'incident', object: 'octo/hello' })
const push = stream?.push
if (!stream || !push) throw new Error('the configuration does not suffice')

const message = (status: number, text: string, headers: Record<string, string> = {}): Told => ({
  status,
  headers,
  body: { message: text, documentation_url: 'https://docs', status: String(status) },
})
const reset = (inSeconds: number) => String(now.getTime() / 1_000 + inSeconds)
const moved = {
  status: 301,
  headers: { location: 'https://api.github.com/repositories/7/issues/1' },
}
const repository = { body: { full_name: 'octo/hello', has_issues: true } }

test.for<[string, Told, object]>([
  [
    '403 with nothing remaining',
    message(403, 'API rate limit exceeded', {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': reset(90),
    }),
    { limited: true, afterMs: 90_000 },
  ],
  [
    '429 with nothing remaining',
    message(429, 'API rate limit exceeded', {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': reset(90),
    }),
    { limited: true, afterMs: 90_000 },
  ],
  [
    '403 with a wait',
    message(403, 'You have exceeded a secondary rate limit', {
      'retry-after': '33',
      'x-ratelimit-remaining': '4000',
      'x-ratelimit-reset': reset(900),
    }),
    { limited: true, afterMs: 33_000 },
  ],
  [
    '429 with a wait',
    message(429, 'slow down', { 'retry-after': '33' }),
    { limited: true, afterMs: 33_000 },
  ],
  [
    'a secondary limit that names the end of the window',
    message(403, 'You have exceeded a secondary rate limit', {
      'x-ratelimit-remaining': '4000',
      'x-ratelimit-reset': reset(120),
    }),
    { limited: true, afterMs: 120_000 },
  ],
  [
    'a secondary limit that names nothing',
    message(403, 'You have exceeded a secondary rate limit'),
    { limited: true, afterMs: 60_000 },
  ],
  ['429 that names nothing', message(429, 'x'), { limited: true, afterMs: 60_000 }],
  [
    'a window that has ended',
    message(403, 'API rate limit exceeded', {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': reset(-90),
    }),
    { limited: true, afterMs: 1_000 },
  ],
  ['a page for people', { status: 502, body: '<html>Unicorn!</html>' }, { kind: 'retry' }],
])('S53: %s is a retry', async ([, told, expected]) => {
  await using server = await serve(github, () => told)
  const page = await stream.fetchPage(server.client, { after: null, skip: 0, limit: 5 }, signal)
  expect(page).toMatchObject({ kind: 'retry', ...expected })
})

test.for<[string, (asked: Asked) => Told, object]>([
  [
    '410',
    ({ url }) =>
      url.pathname.endsWith('/1') ? message(410, 'This issue was deleted') : repository,
    { kind: 'gone' },
  ],
  [
    '404 of the issue alone',
    ({ url }) => (url.pathname.endsWith('/1') ? message(404, 'Not Found') : repository),
    { kind: 'gone' },
  ],
  ['404 of the repository, too', () => message(404, 'Not Found'), { kind: 'hidden' }],
  [
    '301: it was transferred',
    ({ url }) => (url.pathname.endsWith('/1') ? moved : repository),
    { kind: 'gone' },
  ],
  ['301 of the repository, too: it was renamed', () => moved, { kind: 'hidden' }],
  [
    '403 of the issue',
    () => message(403, 'Resource not accessible by integration'),
    { kind: 'hidden' },
  ],
  [
    'a pull request',
    () => ({ body: { number: 1, updated_at: '2026-03-01T09:00:00Z', pull_request: { url: 'x' } } }),
    { kind: 'gone' },
  ],
  [
    'an issue',
    () => ({ body: { number: 1, updated_at: '2026-03-01T09:00:00Z', title: 't' } }),
    { kind: 'row', row: { externalId: '1' } },
  ],
])('S31: %s says of an issue', async ([, answer, expected]) => {
  await using server = await serve(github, answer)
  expect(await push.fetchOne(server.client, '1', signal)).toMatchObject(expected)
})

test('a repository that was renamed is told, and the new name is not followed', async () => {
  await using server = await serve(github, () => moved)
  const page = await stream.fetchPage(server.client, { after: null, skip: 0, limit: 5 }, signal)
  expect(page).toMatchObject({ kind: 'refused', reason: expect.stringContaining('moved') })
  expect(server.asked).toHaveLength(1)
})

test.for<[string, Told, object]>([
  [
    '422',
    message(422, 'Validation Failed'),
    { kind: 'rejected', reason: expect.stringContaining('Validation Failed') },
  ],
  ['403 of rights', message(403, 'Must have admin rights'), { kind: 'rejected' }],
  [
    '410: issues are switched off',
    message(410, 'Issues are disabled for this repo'),
    { kind: 'refused' },
  ],
  ['a page with 200', { body: '<html>' }, { kind: 'unknown' }],
  ['500', message(500, 'Server Error'), { kind: 'unknown' }],
  ['401', message(401, 'Bad credentials'), { kind: 'refused', code: 'reauth_required' }],
])('%s in answer to a new issue', async ([, told, expected]) => {
  await using server = await serve(github, () => told)
  const create = { operation: 'create', marker: 'rec-1', values: { title: 't' } } as const
  expect(await push.write(server.client, [create], signal)).toMatchObject([expected])
})

test('pages are asked for by since, order and number, and end where no next one is linked', async () => {
  const issue = (number: number, more: object = {}) => ({
    number,
    title: `${number}`,
    updated_at: '2026-03-01T09:00:00Z',
    ...more,
  })
  await using server = await serve(github, ({ url }) => {
    const page = Number(url.searchParams.get('page'))
    const link =
      '<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=2>; rel="last"'
    return page === 1
      ? {
          headers: { link, etag: 'W/"1"' },
          body: [issue(3), issue(2, { pull_request: { url: 'x' } })],
        }
      : { headers: { etag: 'W/"2"' }, body: [issue(1)] }
  })
  const after = { time: '2026-03-01T09:00:00.000Z', id: '' }
  const page = await stream.fetchPage(server.client, { after, skip: 0, limit: 5 }, signal)
  expect(page).toMatchObject({ kind: 'page', more: false })
  expect(page.kind === 'page' && page.rows.map(({ externalId }) => externalId)).toEqual(['1', '3'])
  const [first, , again] = server.asked
  expect(Object.fromEntries(first?.url.searchParams ?? [])).toEqual({
    state: 'all',
    sort: 'updated',
    direction: 'asc',
    per_page: '100',
    page: '1',
    since: '2026-03-01T09:00:00Z',
  })
  expect(again?.headers['if-none-match']).toBe('W/"1"')
})
