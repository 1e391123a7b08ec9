import type { TokenCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { AppError } from '../core/errors.ts'
import type { Vault } from '../core/vault.ts'

const MISSING = 404

export function openKeyVault(url: string, credential: TokenCredential): Vault {
  const client = new SecretClient(url, credential, {
    // The check compares the vault's domain with the one that it asks a token for; a loopback address has none.
    disableChallengeResourceVerification: isLoopback(url),
    retryOptions: { maxRetries: 2, retryDelayInMs: 300, maxRetryDelayInMs: 2_000 },
  })
  return {
    get: (name) => read(client, name),
    set: async (name, value) => {
      await guard(() => client.setSecret(name, value))
    },
    ping: async () => {
      await read(client, 'health-probe')
    },
  }
}

async function read(client: SecretClient, name: string): Promise<string | undefined> {
  return guard(async () => {
    try {
      return (await client.getSecret(name)).value
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && error.statusCode === MISSING
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
}

async function guard<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError(
      'vault_unavailable',
      'the key vault could not be reached or refused the work',
      {
        cause,
      },
    )
  }
}
