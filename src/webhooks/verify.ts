import { headerOf } from './places.ts'
import { invalid } from './scheme.ts'
import type { LeafScheme, Scheme, Verdict, WebhookRequest } from './scheme.ts'
import { verifyHttpSignature } from './verify-http-signature.ts'
import { verifyJwt } from './verify-jwt.ts'
import { verifySigned } from './verify-signed.ts'
import { verifyToken } from './verify-token.ts'

/**
 * Says whether a request was signed as its scheme demands with one of the registration's secrets, and with which. Pure,
 * in constant time, and never throws: whatever is wrong with a request is an invalid verdict.
 */
export function verifyWebhookSignature(scheme: Scheme, request: WebhookRequest): Verdict {
  if (Number.isNaN(request.now.getTime())) return invalid('timestamp_out_of_tolerance')
  const chosen = schemeFor(scheme, request.headers)
  if (chosen === undefined) return invalid('missing_signature')
  switch (chosen.kind) {
    case 'signed':
      return verifySigned(chosen, request)
    case 'token':
      return verifyToken(chosen, request)
    case 'jwt':
      return verifyJwt(chosen, request)
    case 'http-signature':
      return verifyHttpSignature(chosen, request)
  }
}

/** The scheme itself, or of a vendor's several the one whose header is there. */
function schemeFor(scheme: Scheme, headers: WebhookRequest['headers']): LeafScheme | undefined {
  if (scheme.kind !== 'choice') return scheme
  const chosen = scheme.of.find(({ when: { header, equals } }) => {
    const value = headerOf(headers, header)
    return value !== undefined && (equals === undefined || value === equals)
  })
  return chosen?.scheme
}
