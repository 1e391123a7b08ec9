import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// The least that a receiver of signed webhooks must do, with nothing around it: read, check, parse, answer.
const secret = process.argv[2] ?? ''
const server = createServer((incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    const body = Buffer.concat(chunks)
    const header = (name: string) => String(incoming.headers[`x-snow-${name}`])
    const given = Buffer.from(header('signature').replace('sha256=', ''), 'base64')
    const made = createHmac('sha256', secret)
      .update(`${header('timestamp')}.${header('event-id')}.`)
      .update(body)
      .digest()
    const isGood = given.length === made.length && timingSafeEqual(given, made)
    const answer = JSON.stringify({ success: isGood && JSON.parse(body.toString('utf8')) !== null })
    response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' }).end(answer)
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // it listens on TCP
  process.send?.(`http://127.0.0.1:${port}`)
})
process.once('disconnect', () => process.exit(0))
