import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { schemes } from '../../src/webhooks/schemes.ts'
import { verifyWebhookSignature } from '../../src/webhooks/verify.ts'

const rawBody = Buffer.from('{"id":"evt_1","name":"Zoë ☃","n":1.0}')
const signature = createHmac('sha256', 'topsecret').update(rawBody).digest('hex')

function verdict(header: string | undefined, secrets = ['topsecret']) {
  return verifyWebhookSignature(schemes['servicenow-business-rule'], {
    method: 'POST',
    url: 'https://hooks.example.com/api/servicenow-webhook',
    headers: header === undefined ? {} : { 'x-servicenow-signature': header },
    rawBody,
    now: new Date('2026-11-20T12:00:00Z'),
    secrets,
  })
}

test('a lower-case hex signature of the raw body passes and tells which secret made it', () => {
  expect(verdict(signature, ['old', 'topsecret'])).toEqual({ valid: true, secretIndex: 1 })
})

test.for([
  ['no header', undefined, 'missing_signature'],
  ['an empty header', '', 'missing_signature'],
  ['upper case', signature.toUpperCase(), 'malformed_signature'],
  ['a prefix', `sha256=${signature}`, 'malformed_signature'],
  ['a short one', signature.slice(2), 'malformed_signature'],
  ['an odd number of digits', signature.slice(1), 'malformed_signature'],
  ['what is not hex', 'z'.repeat(64), 'malformed_signature'],
  ['base64', Buffer.from(signature, 'hex').toString('base64'), 'malformed_signature'],
  ['the header twice', `${signature}, ${signature}`, 'malformed_signature'],
  ['a line end behind it', `${signature}\n`, 'malformed_signature'],
  ['another signature', '0'.repeat(64), 'signature_mismatch'],
] as const)('%s is an invalid verdict', ([, header, reason]) => {
  expect(verdict(header)).toEqual({ valid: false, reason })
})

test.for([[[]], [['']]])('without a usable secret (%j) nothing passes', ([secrets]) => {
  expect(verdict(signature, secrets)).toEqual({ valid: false, reason: 'no_usable_secret' })
})
