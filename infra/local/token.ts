import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { readOptions } from './command.ts'

const settingsShape = z.object({ Values: z.object({ LOCAL_CONTROL_URL: z.url() }) })
const answerShape = z.object({ answer: z.object({ token: z.string() }) })

const options = readOptions({
  usage: 'npm run token --',
  summary: 'Prints a bearer token for the running local stack.',
  options: {
    tenant: { type: 'text', help: 'the tenant that the bearer belongs to (required)' },
    role: {
      type: 'text',
      default: 'admin',
      help: 'admin, operator or viewer; several with commas',
    },
    user: { type: 'text', default: 'local-user', help: 'who it is: the claims sub and userSysId' },
    minutes: { type: 'number', default: 60, help: 'how long the token is good' },
    settings: {
      type: 'text',
      default: 'local.settings.json',
      help: 'the file that the running stack wrote',
    },
  },
})

try {
  process.stdout.write(`${await mint()}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function mint(): Promise<string> {
  if (!options.tenant) throw new Error('--tenant is required: whose tenant is the bearer of?')
  const response = await askStack(await controlUrl(), {
    subject: options.user,
    tenantId: options.tenant,
    roles: options.role.split(',').map((role) => role.trim()),
    expiresInSeconds: Math.round(options.minutes * 60),
    claims: { userSysId: options.user },
  })
  if (!response.ok) throw new Error(`the stack refused: ${await response.text()}`)
  return answerShape.parse(await response.json()).answer.token
}

async function controlUrl(): Promise<string> {
  try {
    const settings = settingsShape.parse(JSON.parse(await readFile(options.settings, 'utf8')))
    return settings.Values.LOCAL_CONTROL_URL
  } catch (error) {
    throw notRunning(error)
  }
}

async function askStack(url: string, body: object): Promise<Response> {
  try {
    return await fetch(new URL('/oauth/commands/mint', url), {
      method: 'POST',
      body: JSON.stringify(body),
    })
  } catch (error) {
    throw notRunning(error)
  }
}

function notRunning(cause: unknown): Error {
  return new Error('The local stack is not running. Start it with: npm start', { cause })
}
