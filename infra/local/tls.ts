import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { generate } from 'selfsigned'
import type { HttpServer } from './http-server.ts'

export interface LocalCertificate extends AsyncDisposable {
  /** PEM of the certificate for 127.0.0.1 and localhost, and of its key. */
  readonly certificate: string
  readonly key: string
  /** Path of the authority's certificate (PEM), for NODE_EXTRA_CA_CERTS. Gone after disposal. */
  readonly authorityPath: string
}

const DAY_MS = 24 * 60 * 60 * 1000
const VALID_DAYS = 365
const ELLIPTIC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const

/** A fresh authority and a certificate of it. The authority's key is forgotten, so it can never sign another one. */
export async function createCertificate(): Promise<LocalCertificate> {
  const validity = {
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + VALID_DAYS * DAY_MS),
  }
  const authority = await generate([{ name: 'commonName', value: 'Syncline local authority' }], {
    ...ELLIPTIC,
    ...validity,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const leaf = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...ELLIPTIC,
    ...validity,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  const folder = await mkdtemp(join(tmpdir(), 'syncline-authority-'))
  const authorityPath = join(folder, 'authority.pem')
  await writeFile(authorityPath, authority.cert, { mode: 0o600 })
  return {
    certificate: leaf.cert,
    key: leaf.private,
    authorityPath,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The content type of a TLS handshake record (RFC 8446 §5.1); no HTTP method begins with it. */
const TLS_HANDSHAKE = 0x16

/** Makes the server answer https on the port on which it already answers http. Dispose it before the server. */
export function alsoServeTls(
  { server }: HttpServer,
  { certificate, key }: Pick<LocalCertificate, 'certificate' | 'key'>,
): Disposable {
  const secure = createSecureServer({ cert: certificate, key }, (request, response) =>
    server.emit('request', request, response),
  )
  const servePlain = server.listeners('connection')
  const sockets = new Set<Socket>()
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.once('readable', () => {
      const first = socket.read(1) as Buffer | null // no encoding is set, so it is bytes
      if (first) socket.unshift(first)
      if (!first) socket.destroy()
      else if (first[0] === TLS_HANDSHAKE) secure.emit('connection', socket)
      else for (const listener of servePlain) listener.call(server, socket)
    })
  })
  return {
    [Symbol.dispose]: () => {
      secure.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/**
 * Makes every TLS client of this process trust the authority, as NODE_EXTRA_CA_CERTS would have done at its start.
 * Disposing restores what was trusted before.
 */
export function trustAuthority(authorityPath: string): Disposable {
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, readFileSync(authorityPath, 'utf8')])
  return { [Symbol.dispose]: () => tls.setDefaultCACertificates(before) }
}
