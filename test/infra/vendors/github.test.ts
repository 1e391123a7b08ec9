import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { close, listen } from '../../../infra/local/http-server.ts'
import { startGitHub, type GitHubOptions } from '../../../infra/local/vendors/github.ts'

async function startTwin(options: GitHubOptions = {}) {
  const twin = await startGitHub(options)
  const { GITHUB_URL: url = '', GITHUB_CLIENT_ID = '', GITHUB_CLIENT_SECRET = '' } = twin.settings
  const refresh = async (token: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/login/oauth/access_token`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: token,
        client_id: GITHUB_CLIENT_ID,
        client_secret: GITHUB_CLIENT_SECRET,
      }),
    })
    return { status: response.status, text: await response.text() }
  }
  const authorization = `Bearer ${twin.control.issueAccessToken()}`
  const call = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { headers: { authorization, ...headers } })
  return { ...twin, url, refresh, call, [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose]() }
}

const ISSUES = '/repos/octo/hello/issues'

test('token errors come with 200, answers as a form unless JSON is asked for, and a token is used once', async () => {
  await using twin = await startTwin()
  const token = twin.control.issueRefreshToken()
  expect((await twin.refresh(token)).text).toMatch(/^access_token=ghu_/)
  const again = await twin.refresh(token, { accept: 'application/json' })
  expect([again.status, JSON.parse(again.text)]).toMatchObject([
    200,
    { error: 'bad_refresh_token' },
  ])
})

test('a list is linked page by page, holds pull requests, and begins with the second of `since`', async () => {
  await using twin = await startTwin()
  for (let at = 0; at < 5; at += 1) twin.control.open({ title: `${at}`, isPullRequest: at === 3 })
  const first = await twin.call(`${ISSUES}?per_page=2`)
  expect(first.headers.get('link')).toMatch(/page=2>; rel="next", .*page=3>; rel="last"/)
  const last = await twin.call(`${ISSUES}?per_page=2&page=3`)
  expect(last.headers.get('link')).not.toContain('next')
  const all = (await (await twin.call(`${ISSUES}?state=all`)).json()) as {
    updated_at: string
    pull_request?: object
  }[] // the API's list
  expect(all.filter((one) => one.pull_request)).toHaveLength(1)
  const since = await twin.call(`${ISSUES}?since=${all[0]?.updated_at}`)
  expect(await since.json()).toEqual(
    expect.arrayContaining([expect.objectContaining({ updated_at: all[0]?.updated_at })]),
  )
})

test('what has not changed is 304 and costs nothing; beyond the limit is 403', async () => {
  await using twin = await startTwin()
  twin.control.open({ title: 'one' })
  twin.control.setHourlyLimit(2)
  const first = await twin.call(ISSUES)
  const again = await twin.call(ISSUES, { 'if-none-match': first.headers.get('etag') ?? '' })
  expect([again.status, again.headers.get('x-ratelimit-remaining')]).toEqual([304, '1'])
  await twin.call(ISSUES)
  const refused = await twin.call(ISSUES)
  expect([refused.status, refused.headers.get('x-ratelimit-remaining')]).toEqual([403, '0'])
  twin.control.clock.advance(3_600_000 + 2_000)
  expect((await twin.call(ISSUES)).status).toBe(200)
})

test('a deleted issue is 410, an unknown one and a hidden repository 404', async () => {
  await using twin = await startTwin()
  const { number } = twin.control.open({ title: 'one' })
  twin.control.remove(number)
  expect((await twin.call(`${ISSUES}/${number}`)).status).toBe(410)
  expect((await twin.call(`${ISSUES}/99`)).status).toBe(404)
  twin.control.hide(true)
  expect((await twin.call('/repos/octo/hello')).status).toBe(404)
})

test('a hook says ping, signs each delivery twice, and sends one again under its own id', async () => {
  const seen: { body: string; headers: Record<string, unknown> }[] = []
  const receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push({ body, headers: request.headers })
      response.end()
    })
  })
  const port = await listen(receiver, 0)
  await using twin = await startTwin({
    webhook: { url: `http://127.0.0.1:${port}/x`, secret: 's' },
  })
  twin.control.open({ title: 'Zoë' })
  twin.control.redeliver(twin.control.webhooks().deliveries[1] ?? '')
  await twin.control.settled()
  await close(receiver)
  expect(seen.map(({ headers }) => headers['x-github-event'])).toEqual(['ping', 'issues', 'issues'])
  for (const { body, headers } of seen) {
    const mac = (algorithm: string) => createHmac(algorithm, 's').update(body).digest('hex')
    expect(headers['x-hub-signature-256']).toBe(`sha256=${mac('sha256')}`)
    expect(headers['x-hub-signature']).toBe(`sha1=${mac('sha1')}`)
  }
  expect(seen[2]?.headers['x-github-delivery']).toBe(seen[1]?.headers['x-github-delivery'])
})
