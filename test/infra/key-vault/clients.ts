import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
} from '@azure/core-rest-pipeline'
import type { TokenCredential } from '@azure/identity'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import type { Emulator } from '../../../infra/local/emulator.ts'
import { startIdentity } from '../../../infra/local/identity/identity.ts'
import { startKeyVault, type KeyVaultOptions } from '../../../infra/local/key-vault/key-vault.ts'
import { trustAuthority } from '../../../infra/local/tls.ts'

export const VAULT = 'https://vault.azure.net'

/** A vault, the identity that it trusts, and a stock client over https. */
export async function startStack(options: Partial<KeyVaultOptions> = {}) {
  const identity = await startIdentity()
  const vault = await startKeyVault({ verify: identity.verify, ...options })
  const trust = trustAuthority(vault.settings['NODE_EXTRA_CA_CERTS'] ?? '')
  const credential: TokenCredential = {
    getToken: async () => ({
      token: await identity.accessToken(VAULT),
      expiresOnTimestamp: Date.now() + 3_600_000,
    }),
  }
  return {
    identity,
    vault,
    credential,
    client: clientOf(vault, credential),
    [Symbol.asyncDispose]: async () => {
      trust[Symbol.dispose]()
      await vault[Symbol.asyncDispose]()
      await identity[Symbol.asyncDispose]()
    },
  }
}

export function clientOf(
  vault: Emulator,
  credential: TokenCredential,
  options: SecretClientOptions = {},
): SecretClient {
  return new SecretClient(vault.settings['KEY_VAULT_URL'] ?? '', credential, {
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 2, retryDelayInMs: 1, maxRetryDelayInMs: 1 },
    ...options,
  })
}

/** Sends what is meant for https to plain http at a loopback port, and leaves the request itself alone. */
export function plainHttpClient(port: string): HttpClient {
  const client = createDefaultHttpClient()
  return {
    sendRequest: async (request) => {
      const url = new URL(request.url)
      const headers = createHttpHeaders({ ...request.headers.toJSON(), host: url.host })
      const plain = createPipelineRequest({
        url: `http://127.0.0.1:${port}${url.pathname}${url.search}`,
        method: request.method,
        headers,
        allowInsecureConnection: true,
        ...(request.body === undefined ? {} : { body: request.body }),
      })
      return { ...(await client.sendRequest(plain)), request }
    },
  }
}

/** What a rejected call says: status, code and inner code. */
export async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
    return 'no refusal'
  } catch (error) {
    const { statusCode, code, details } = error as RefusalShape // the SDK's RestError
    return [statusCode, code, details?.error?.innerError?.code]
  }
}

interface RefusalShape {
  statusCode?: number
  code?: string
  details?: { error?: { innerError?: { code?: string } } }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
