import { empty } from './answers.ts'
import type { Answer } from './answers.ts'
import { challenges, WORD } from './challenges.ts'
import type { Challenge } from './challenges.ts'
import { queryOf, valueAt } from './places.ts'
import type { Scheme, Verdict, WebhookRequest } from './scheme.ts'
import { matchingSecret } from './verify-token.ts'
import { verifyWebhookSignature } from './verify.ts'

export interface HandshakeRequest extends WebhookRequest {
  /** The registration waits for its vendor's first call; only then may a secret be learned from one. */
  readonly pending?: boolean
}

/**
 * `learnedSecret` must be stored before the answer goes out; `visit` must be fetched (GET) after it. A refusal's answer
 * says nothing of the reason.
 */
export type Handshake =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: string; readonly answer: Answer }
  | {
      readonly kind: 'answered'
      readonly answer: Answer
      readonly learnedSecret?: string
      readonly visit?: string
    }

/** Longer than any vendor's challenge; Graph's have some 100 characters, Asana's secrets 64. */
const MAX_CHALLENGE_LENGTH = 1_024

/** A handshake's body is small; a larger one is a delivery, and is not parsed before its signature is verified. */
const MAX_BODY_BYTES = 16_384

// No control characters: answers are shown on terminals and in logs.
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}]+$/u

/**
 * Answers a vendor's proof-of-ownership call. `none`: the request is a delivery. Pure and without exceptions, like the
 * verification.
 */
export function handshake(scheme: Scheme, request: HandshakeRequest): Handshake {
  if (scheme.challenge === undefined || request.rawBody.length > MAX_BODY_BYTES) {
    return { kind: 'none' }
  }
  const rule = challenges[scheme.challenge]
  if (!rule.when(request)) return { kind: 'none' }

  const proof = prove(rule, scheme, request)
  if ('reason' in proof) return refused(proof.status, proof.reason)

  const challenge = rule.challenge === undefined ? '' : valueAt(rule.challenge, request)
  if (challenge === undefined) return refused(400, 'no challenge')
  if (challenge.length > MAX_CHALLENGE_LENGTH) return refused(400, 'challenge too long')
  const isFit = rule.challenge === undefined || (rule.shape ?? PRINTABLE).test(challenge)
  if (!isFit) return refused(400, 'challenge malformed')

  const response = rule.respond({ request, challenge, secret: proof.secret })
  const isNew = rule.proof === 'learned' && !proof.isKnown
  const learned = isNew ? { learnedSecret: proof.secret } : {}
  return { kind: 'answered', ...response, ...learned }
}

type Proof =
  | { readonly secret: string; readonly isKnown?: true }
  | { readonly reason: string; readonly status: number }

function prove(rule: Challenge, scheme: Scheme, request: HandshakeRequest): Proof {
  switch (rule.proof) {
    case 'signature':
      return ofVerdict(verifyWebhookSignature(scheme, request), request)
    case 'signature-if-any': {
      const verdict = verifyWebhookSignature(scheme, request)
      const isMissing = !verdict.valid && verdict.reason === 'missing_signature'
      return isMissing ? { secret: '' } : ofVerdict(verdict, request)
    }
    case 'verify-token': {
      const { verifyToken } = request.expected ?? {}
      const given = queryOf(request.url).getAll('hub.verify_token')
      const allowed = verifyToken === undefined ? request.secrets : [verifyToken]
      const known = given.length === 1 && matchingSecret(given[0] ?? '', allowed) >= 0
      return known ? { secret: '' } : { reason: 'wrong verify token', status: 403 }
    }
    case 'learned':
      return learn(rule, scheme, request)
    case 'open':
      return { secret: '' }
    case 'configured': {
      const secret = request.secrets.find((each) => each !== '')
      return secret === undefined ? { reason: 'no usable secret', status: 401 } : { secret }
    }
  }
}

function ofVerdict(verdict: Verdict, { secrets }: WebhookRequest): Proof {
  return verdict.valid
    ? { secret: secrets[verdict.secretIndex] ?? '' }
    : { reason: verdict.reason, status: 401 }
}

/**
 * A secret is learned once, from a registration that waits for it; where the vendor signs the call, it must hold. A vendor
 * that did not hear the answer brings the same secret again, and is answered alike.
 */
function learn(rule: Challenge, scheme: Scheme, request: HandshakeRequest): Proof {
  const secret = rule.secret === undefined ? undefined : valueAt(rule.secret, request)
  if (secret === undefined || secret.length > MAX_CHALLENGE_LENGTH || !WORD.test(secret)) {
    return { reason: 'secret malformed', status: 400 }
  }
  if (request.pending !== true) {
    const isKnown = matchingSecret(secret, request.secrets) >= 0
    return isKnown ? { secret, isKnown } : { reason: 'not waiting for a secret', status: 403 }
  }
  if (rule.secretIsUnsigned === true) return { secret }
  const signedWithIt = { ...request, secrets: [secret] }
  return ofVerdict(verifyWebhookSignature(scheme, signedWithIt), signedWithIt)
}

function refused(status: number, reason: string): Handshake {
  return { kind: 'refused', reason, answer: empty(status) }
}
