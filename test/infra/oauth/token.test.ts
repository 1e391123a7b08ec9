import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { serveControl } from '../../../infra/local/control-server.ts'
import { startIssuer } from '../../../infra/local/oauth/issuer.ts'

const COMMAND = fileURLToPath(new URL('../../../infra/local/token.ts', import.meta.url))

function token(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    )
  })
}

async function settingsFile(content: string) {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-token-test-'))
  const path = join(folder, 'local.settings.json')
  await writeFile(path, content)
  return {
    path,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

test('the command prints a token of the running stack', async () => {
  await using issuer = await startIssuer({ algorithm: 'ES256' })
  await using channel = await serveControl([issuer])
  const content = { IsEncrypted: false, Values: { LOCAL_CONTROL_URL: channel.origin, OTHER: '1' } }
  await using file = await settingsFile(JSON.stringify(content))
  const line = '--tenant t1 --role operator,viewer --user u7 --minutes 5'
  const { code, out } = await token('--settings', file.path, ...line.split(' '))
  expect(code).toBe(0)
  const claims = decodeJwt(out.trim())
  expect(claims).toMatchObject({
    iss: issuer.settings['AUTH_ISSUERS'],
    tenantId: 't1',
    roles: ['operator', 'viewer'],
    sub: 'u7',
    userSysId: 'u7',
  })
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300)
})

test('without a running stack, or a tenant, it says so in one line and exits with 1', async () => {
  await using ended = await startIssuer({ algorithm: 'ES256' })
  const channel = await serveControl([ended])
  await channel[Symbol.asyncDispose]()
  const content = JSON.stringify({ Values: { LOCAL_CONTROL_URL: channel.origin } })
  await using stale = await settingsFile(content)
  await using broken = await settingsFile('{')
  for (const path of [stale.path, broken.path, `${broken.path}.missing`]) {
    expect(await token('--settings', path, '--tenant', 't1')).toEqual({
      code: 1,
      out: '',
      err: 'The local stack is not running. Start it with: npm start\n',
    })
  }
  expect(await token('--settings', stale.path)).toMatchObject({
    code: 1,
    err: expect.stringContaining('--tenant is required'),
  })
})
