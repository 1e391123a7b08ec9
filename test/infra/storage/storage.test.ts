import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { BlobServiceClient } from '@azure/storage-blob'
import { expect, test } from 'vitest'
import { startStorage } from '../../../infra/local/storage/storage.ts'

test('blobs are put, got, leased and created once only', async () => {
  await using storage = await startStorage()
  const { AzureWebJobsStorage: connection = '' } = storage.settings
  expect(connection).toMatch(/BlobEndpoint=.*QueueEndpoint=.*TableEndpoint=/)
  const container = BlobServiceClient.fromConnectionString(connection).getContainerClient('locks')
  await container.create()
  const blob = container.getBlockBlobClient('host')
  await blob.upload('hello', 5, { conditions: { ifNoneMatch: '*' } })
  expect((await blob.downloadToBuffer()).toString()).toBe('hello')
  const again = blob.upload('twice', 5, { conditions: { ifNoneMatch: '*' } })
  await expect(again).rejects.toMatchObject({ statusCode: 409 })
  const lease = blob.getBlobLeaseClient()
  await lease.acquireLease(15)
  await expect(blob.getBlobLeaseClient().acquireLease(15)).rejects.toMatchObject({
    statusCode: 409,
  })
  await expect(blob.upload('other', 5)).rejects.toMatchObject({ statusCode: 412 })
  await lease.releaseLease()
  await blob.upload('other', 5)
  expect((await blob.downloadToBuffer()).toString()).toBe('other')
})

test('a port that is taken is named in the error, and nothing is left running', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  await using _ = { [Symbol.asyncDispose]: async () => void holder.close() }
  const { port } = holder.address() as AddressInfo // a TCP server's address is never a path
  await expect(startStorage({ port })).rejects.toThrow(String(port))
})

test('Azurite ends with the process that started it, even when that is killed', async () => {
  const main = fileURLToPath(new URL('../../../infra/local/storage/main.ts', import.meta.url))
  const args = [main, '--port', '0', '--queue-port', '0', '--table-port', '0']
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let port = 0
  for await (const line of createInterface({ input: parent.stdout })) {
    port ||= Number(/BlobEndpoint=http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0)
    if (line === 'ready') break
  }
  const connection = connect(port, '127.0.0.1')
  await once(connection, 'connect')
  const hangUp = Promise.withResolvers<void>()
  connection.on('error', () => {}) // a reset is as good as an end
  connection.once('close', () => hangUp.resolve())
  parent.kill('SIGKILL')
  await hangUp.promise
  expect([port > 0, connection.destroyed]).toEqual([true, true])
})
