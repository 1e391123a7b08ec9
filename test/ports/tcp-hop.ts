import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'

/** What a hop does with what it is sent: `refuse` passes nothing on, `lose` only no answers; both then hang up. */
export type HopMode = 'pass' | 'refuse' | 'lose' | 'hold'

/** A hop on the way to a TCP server. */
export interface TcpHop extends AsyncDisposable {
  readonly port: number
  /** `hold` keeps answers back until the hop passes again. */
  mode(mode: HopMode): void
  /** Ends all connections; new ones go to another server. */
  moveTo(port: number): void
}

export async function startTcpHop(targetPort: number): Promise<TcpHop> {
  let [target, mode]: [number, HopMode] = [targetPort, 'pass']
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket; held: Buffer[] }>()
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1')
    const pair = { client, server, held: [] as Buffer[] }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
    client.on('data', (bytes) => {
      if (mode === 'refuse') end()
      else server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (mode === 'lose') end()
      else if (mode === 'hold') pair.held.push(bytes)
      else client.write(bytes)
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const hangUp = () => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    port: (listener.address() as AddressInfo).port, // a TCP server's address is never a path
    mode: (next) => {
      mode = next
      if (mode !== 'pass') return
      for (const { client, held } of pairs) client.write(Buffer.concat(held.splice(0)))
    },
    moveTo: (port) => {
      target = port
      hangUp()
    },
    [Symbol.asyncDispose]: async () => {
      listener.close()
      hangUp()
      await once(listener, 'close')
    },
  }
}
