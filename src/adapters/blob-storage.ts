import type { TokenCredential } from '@azure/identity'
import { BlobServiceClient, RestError, type ContainerClient } from '@azure/storage-blob'
import type { Blobs } from '../core/blobs.ts'
import { AppError } from '../core/errors.ts'

export type BlobAuth =
  | { readonly connectionString: string }
  | { readonly url: string; readonly credential: TokenCredential }

const MISSING = 404
const retryOptions = { maxTries: 3, tryTimeoutInMs: 5_000, maxRetryDelayInMs: 1_000 }

export function openBlobs(auth: BlobAuth, container: string): Blobs {
  const service =
    'connectionString' in auth
      ? BlobServiceClient.fromConnectionString(auth.connectionString, { retryOptions })
      : new BlobServiceClient(auth.url, auth.credential, { retryOptions })
  const client = service.getContainerClient(container)
  return {
    put: (name, bytes) => guard(() => put(client, name, bytes)),
    get: (name) => guard(() => get(client, name)),
  }
}

/** The container is made when it is not there: an account that was never used has none. */
async function put(client: ContainerClient, name: string, bytes: Uint8Array): Promise<void> {
  const upload = () => client.getBlockBlobClient(name).upload(bytes, bytes.length)
  try {
    await upload()
  } catch (error) {
    if (!isMissing(error)) throw error
    await client.createIfNotExists()
    await upload()
  }
}

async function get(client: ContainerClient, name: string): Promise<Uint8Array | undefined> {
  try {
    return await client.getBlobClient(name).downloadToBuffer()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === MISSING
}

async function guard<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (cause) {
    throw new AppError(
      'blob_unavailable',
      'the blob storage could not be reached or refused the work',
      { cause },
    )
  }
}
