import type { Emulator, EmulatorOptions } from '../emulator.ts'
import { serveHttp } from '../http-server.ts'
import { answerRequest, operationOf } from './github/api.ts'
import { GitHubControl, type TwinOptions } from './github/control.ts'

export type GitHubOptions = EmulatorOptions & TwinOptions
export type { GitHubControl } from './github/control.ts'

/**
 * The issues of GitHub on 127.0.0.1: lists with `since`, `Link` and tags, pull requests among them, both kinds of limits,
 * rotating tokens and signed webhooks. It behaves as `facts/providers.md` section E tells of the vendor.
 */
export async function startGitHub(options: GitHubOptions = {}): Promise<Emulator<GitHubControl>> {
  const control = new GitHubControl(options)
  const server = await serveHttp({
    port: options.port ?? 0,
    latencyMs: options.latencyMs ?? 0,
    control,
    operation: operationOf,
    handle: (request) => answerRequest(request, control.parts),
  })
  return {
    name: 'github',
    settings: {
      GITHUB_URL: server.origin,
      GITHUB_CLIENT_ID: control.parts.client.clientId,
      GITHUB_CLIENT_SECRET: control.parts.client.clientSecret,
    },
    control,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await control.poster[Symbol.asyncDispose]()
      control[Symbol.dispose]()
    },
  }
}
