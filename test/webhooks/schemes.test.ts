import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LeafScheme, Scheme, WebhookRequest } from '../../src/webhooks/scheme.ts'
import { schemeNamed, schemes } from '../../src/webhooks/schemes.ts'
import { schemeSchema } from '../../src/webhooks/scheme.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'
import { delivery, now } from './samples.ts'

const entries: readonly (readonly [string, Scheme])[] = Object.entries(schemes)

function leafOf(scheme: Scheme): LeafScheme {
  const leaf = scheme.kind === 'choice' ? scheme.of[0]?.scheme : scheme
  if (leaf === undefined) throw new Error(`${scheme.name} has no schemes`)
  return leaf
}

describe.for(entries)('%s', ([name, scheme]) => {
  test('has its own name and the shape of a configured scheme', () => {
    expect(scheme.name).toBe(name)
    expect(schemeSchema.parse(scheme)).toEqual(scheme)
  })

  test('what it signs it verifies, and says which secret made it', () => {
    const isKeySet = leafOf(scheme).kind === 'jwt' && name !== 'jira-oauth'
    expect(verifyWebhookSignature(scheme, delivery(scheme))).toMatchObject({
      valid: true,
      secretIndex: isKeySet ? 0 : 1,
    })
  })

  test('nothing passes without the secret', () => {
    const request = { ...delivery(scheme), secrets: ['another', ''], keys: [] }
    expect(verifyWebhookSignature(scheme, request).valid).toBe(false)
  })

  test('without its headers, its query and its body it is an invalid verdict', () => {
    const bare = { headers: {}, url: 'https://hooks.example.com/', rawBody: Buffer.alloc(0) }
    const verdict = verifyWebhookSignature(scheme, { ...delivery(scheme), ...bare })
    expect(verdict).toEqual({ valid: false, reason: 'missing_signature' })
  })

  test('no single bit of message, signature or timestamp can change', () => {
    const request = delivery(scheme)
    const mutants = [...mutations(leafOf(scheme), request)]
    const passed = mutants
      .filter((mutant) => verifyWebhookSignature(scheme, mutant).valid)
      .map(({ method, url, headers }) => ({ method, url, headers }))
    expect(mutants.length).toBeGreaterThan(50)
    expect(passed).toEqual([])
  })

  test('a signature header that came twice is refused', () => {
    const request = delivery(scheme)
    const names = authenticatingHeaders(leafOf(scheme)).filter((each) => each in request.headers)
    for (const header of names) {
      const value = request.headers[header]
      const headers = { ...request.headers, [header]: `${value}, ${value}` }
      expect(verifyWebhookSignature(scheme, { ...request, headers }).valid).toBe(false)
    }
  })

  test('arbitrary requests never throw and never pass', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 })
    const header = fc.constantFrom(...headersOf(leafOf(scheme)), 'content-type', '__proto__')
    const lines = fc.array(fc.tuple(header, fc.oneof(text, shapedText)), { maxLength: 6 })
    const request = fc.record({
      method: fc.constantFrom('POST', 'GET', 'OPTIONS'),
      url: fc.oneof(fc.webUrl({ withQueryParameters: true }), text),
      headers: lines.map((pairs) => Object.fromEntries(pairs)),
      rawBody: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.json().map((each) => Buffer.from(each)),
      ),
    })
    const genuine = delivery(scheme)
    fc.assert(
      fc.property(request, (received) => {
        expect(verifyWebhookSignature(scheme, { ...genuine, ...received }).valid).toBe(false)
      }),
      { numRuns: 60 },
    )
  })
})

const signable = entries.filter(([, scheme]) => {
  const leaf = leafOf(scheme)
  return leaf.kind === 'http-signature' || (leaf.kind === 'signed' && leaf.timestamp !== undefined)
})

test.for(signable)('%s: a timestamp counts within its tolerance, both ways', ([, scheme]) => {
  const leaf = leafOf(scheme)
  const seconds =
    leaf.kind === 'signed'
      ? (leaf.timestamp?.toleranceSeconds ?? 0)
      : leaf.kind === 'http-signature'
        ? leaf.toleranceSeconds
        : 0
  const at = (offset: number) =>
    verifyWebhookSignature(
      scheme,
      delivery(scheme, { now: new Date(now.getTime() + offset * 1_000) }),
    )
  expect(at(seconds)).toMatchObject({ valid: true, timestamp: now })
  expect(at(-seconds)).toMatchObject({ valid: true, timestamp: now })
  const late = { valid: false, reason: 'timestamp_out_of_tolerance' }
  expect(at(seconds + 1)).toEqual(late)
  expect(at(-seconds - 1)).toEqual(late)
})

test('names that are inherited are no schemes', () => {
  expect(schemeNamed('constructor')).toBeUndefined()
  expect(schemeNamed('github')).toBe(schemes.github)
})

/** Texts that look like something, so that the fuzzer comes further than the first guard. */
const shapedText = fc.oneof(
  fc.stringMatching(/^(sha256=|sha1=|v0=|v1=|v1,|v1a,|)[0-9a-f]{64}$/),
  fc.stringMatching(/^(sha256=|v1,|)[A-Za-z0-9+/]{43}=$/),
  fc.stringMatching(/^t=1795176\d{3},v1=[0-9a-f]{64}$/),
  fc.stringMatching(/^1795176\d{3}(\d{3})?$/),
  fc.stringMatching(/^Bearer [\w-]{4,20}\.[\w-]{4,20}\.[\w-]{4,20}$/),
  fc.stringMatching(/^sig1=\("@method" "@path"\);created=1795176000(;keyid="a")?$/),
  fc.stringMatching(/^sig1=:[A-Za-z0-9+/]{8}:$/),
)

function authenticatingHeaders(leaf: LeafScheme): readonly string[] {
  switch (leaf.kind) {
    case 'signed':
      return [leaf.signature.header]
    case 'token':
      return leaf.at.flatMap((place) => (place.in === 'header' ? [place.name] : []))
    case 'jwt':
      return leaf.at.in === 'header' ? [leaf.at.name] : []
    case 'http-signature':
      return ['signature', 'signature-input']
  }
}

function headersOf(leaf: LeafScheme): readonly string[] {
  const stamp =
    leaf.kind === 'signed' && leaf.timestamp?.at.in === 'header' ? [leaf.timestamp.at.name] : []
  return [...authenticatingHeaders(leaf), ...stamp, ...headerIds(leaf)]
}

function headerIds(leaf: LeafScheme): readonly string[] {
  return (leaf.id ?? []).flatMap((place) => (place.in === 'header' ? [place.name] : []))
}

/** Every request that differs in one bit of something that the scheme vouches for. */
function* mutations(leaf: LeafScheme, request: WebhookRequest): Generator<WebhookRequest> {
  const { headers, rawBody, url, method } = request
  for (const name of vouchedHeaders(leaf).filter((each) => each in headers)) {
    const value = headers[name] ?? ''
    // Draft-cavage signs neither the key's id nor the list of parameters itself.
    const start = leaf.kind === 'http-signature' && leaf.style === 'cavage' && name === 'signature'
    const from = start ? value.indexOf('signature="') : 0
    for (const text of flips(value, from))
      yield { ...request, headers: { ...headers, [name]: text } }
  }
  const vouched = vouchedParts(leaf)
  if (vouched.includes('body')) {
    for (const text of flips(Buffer.from(rawBody).toString('latin1'), 0)) {
      yield { ...request, rawBody: Buffer.from(text, 'latin1') }
    }
  }
  if (vouched.includes('url')) for (const text of flips(url, 0)) yield { ...request, url: text }
  if (vouched.includes('path')) {
    for (const text of flips(url, url.indexOf('/webhooks'))) yield { ...request, url: text }
  }
  if (vouched.includes('query')) {
    for (const text of flips(url, url.indexOf('token='))) yield { ...request, url: text }
  }
  // Methods are compared in upper case, so the bit that tells the case is left out.
  if (vouched.includes('method')) {
    for (const text of flips(method, 0))
      if (text.toUpperCase() !== method) yield { ...request, method: text }
  }
}

function vouchedHeaders(leaf: LeafScheme): readonly string[] {
  const ids = leaf.kind === 'signed' && leaf.signed.includes('{id}') ? headerIds(leaf) : []
  const covered = leaf.kind === 'http-signature' ? ['date', 'digest', 'content-digest'] : []
  const stamp =
    leaf.kind === 'signed' && leaf.timestamp?.at.in === 'header' ? [leaf.timestamp.at.name] : []
  return [...authenticatingHeaders(leaf), ...stamp, ...ids, ...covered]
}

function vouchedParts(leaf: LeafScheme): readonly string[] {
  switch (leaf.kind) {
    case 'signed':
      return ['body', 'url', 'method'].filter(
        (part) =>
          leaf.signed.includes(`{${part}}`) || (part === 'body' && leaf.signed.includes('{form}')),
      )
    case 'token':
      return leaf.at.map((place) => (place.in === 'json' ? 'body' : place.in)).slice(0, 1)
    case 'jwt':
      return leaf.at.in === 'json' ? ['body'] : []
    case 'http-signature':
      return ['body', leaf.style === 'cavage' ? 'path' : 'url', 'method']
  }
}

function* flips(text: string, from: number): Generator<string> {
  for (let index = from; index < text.length; index += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const flipped = String.fromCharCode(text.charCodeAt(index) ^ (1 << bit))
      yield text.slice(0, index) + flipped + text.slice(index + 1)
    }
  }
}
