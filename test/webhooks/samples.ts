import { generateKeyPairSync } from 'node:crypto'
import type { JsonWebKey, KeyPairKeyObjectResult } from 'node:crypto'
import type { LeafScheme, Scheme, WebhookRequest } from '../../src/webhooks/scheme.ts'
import { sign } from '../../src/webhooks/sign.ts'

export const now = new Date('2026-11-20T12:00:00Z')

const url = 'https://hooks.example.com/webhooks/reg-1/events?x=1'
const soap =
  '<soapenv:Envelope><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">' +
  '<OrganizationId>00D000000000001EAA</OrganizationId><Notification><Id>04l000000000001AAA</Id>' +
  '</Notification></notifications></soapenv:Body></soapenv:Envelope>'

const pairs = {
  'rsa-sha256': pems(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  'ecdsa-sha256': pems(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  ed25519: pems(generateKeyPairSync('ed25519')),
}
const tokens = generateKeyPairSync('rsa', { modulusLength: 2048 })

export const jwk: JsonWebKey & { kid: string } = {
  ...tokens.publicKey.export({ format: 'jwk' }),
  kid: 'key-1',
}
export const jwtPrivateKey = tokens.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

export const expected = {
  audience: 'https://hooks.example.com',
  email: 'push@project.iam.gserviceaccount.com',
}

/** What signs and what verifies. */
function keysFor(scheme: Scheme): { secret: string; verifying: string } {
  const leaf: LeafScheme | undefined = scheme.kind === 'choice' ? scheme.of[0]?.scheme : scheme
  if (leaf?.kind === 'jwt' && leaf.algorithm === 'RS256') {
    return { secret: jwtPrivateKey, verifying: 'unused' }
  }
  if (leaf?.kind !== 'signed' && leaf?.kind !== 'http-signature') return same('top-secret-token')
  if (leaf.key.encoding === 'base64') return same(Buffer.alloc(32, 7).toString('base64'))
  if (leaf.key.encoding === 'hex') return same('07'.repeat(32))
  if (leaf.key.encoding === 'utf8') return same('topsecret')
  const pair =
    leaf.algorithm === 'rsa-sha256' || leaf.algorithm === 'ecdsa-sha256'
      ? pairs[leaf.algorithm]
      : pairs.ed25519
  return pair
}

function pems(pair: KeyPairKeyObjectResult): { secret: string; verifying: string } {
  return {
    secret: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    verifying: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

function same(secret: string): { secret: string; verifying: string } {
  return { secret, verifying: secret }
}

function bodyFor(name: string): string {
  if (name === 'salesforce-outbound-message') return soap
  if (name === 'twilio' || name === 'mandrill') return 'To=15551&From=15552&Body=hello'
  if (name === 'microsoft-graph') return '{"value":[{}]}'
  if (name === 'microsoft-graph-rich') return '{}'
  return '{"id":"evt_1","name":"Zoë ☃","n":1.0}'
}

/** A delivery as the vendor would sign it and the host hand it over. */
export function delivery(scheme: Scheme, more: Partial<WebhookRequest> = {}): WebhookRequest {
  const { secret, verifying } = keysFor(scheme)
  const { rawBody: given, ...rest } = more
  const rawBody = Buffer.from(given ?? bodyFor(scheme.name))
  const isForm = rawBody.toString().startsWith('To=')
  const ids = (scheme.id ?? []).flatMap((place) =>
    place.in === 'header' ? [[place.name, 'msg_1']] : [],
  )
  const signed = sign(scheme, {
    method: 'POST',
    url,
    headers: {
      'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
      ...Object.fromEntries(ids),
    },
    rawBody,
    now,
    secret,
    claims: { aud: expected.audience, email: expected.email },
    keyId: jwk.kid,
  })
  return {
    ...signed,
    now,
    secrets: ['another', verifying],
    keys: [jwk],
    expected,
    ...rest,
  }
}
