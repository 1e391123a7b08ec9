import type { Scheme, Verdict, WebhookRequest } from './scheme.ts'
import { invalid } from './scheme.ts'
import { verifySigned } from './verify-signed.ts'

/**
 * Says whether a request was signed as its scheme demands with one of the registration's secrets, and with which. Pure,
 * in constant time, and never throws: whatever is wrong with a request is an invalid verdict.
 */
export function verifyWebhookSignature(scheme: Scheme, request: WebhookRequest): Verdict {
  switch (scheme.kind) {
    case 'signed':
      return verifySigned(scheme, request)
    case 'token':
    case 'jwt':
    case 'http-signature':
    case 'choice':
      return invalid('missing_signature')
  }
}
