import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { schemeSchema } from './scheme.ts'
import type { Encoding, LeafScheme, Scheme, SignedScheme } from './scheme.ts'

const publicKeyAlgorithms: ReadonlySet<string> = new Set([
  'rsa-sha256',
  'rsa-pss-sha512',
  'ecdsa-sha256',
  'ecdsa-sha256-raw',
  'ed25519',
] satisfies SignedScheme['algorithm'][])
const placeholders = new Set(['body', 'timestamp', 'id', 'method', 'url', 'form', 'secret'])

/** Encodings whose texts of one length could be taken for one another. */
const overlapping: readonly (readonly Encoding[])[] = [
  ['hex', 'hex-any-case'],
  ['base64', 'base64url'],
]

const configurationSchema = schemeSchema.superRefine((scheme, context) => {
  const leaves = scheme.kind === 'choice' ? scheme.of.map((option) => option.scheme) : [scheme]
  for (const message of leaves.flatMap(problemsOf)) context.addIssue({ code: 'custom', message })
})

/**
 * A scheme that is set by configuration instead of the table: any JSON value of the shape of a table's entry. Throws
 * `bad_request` that names every wrong field, and refuses schemes that would prove nothing.
 */
export function genericScheme(configuration: unknown): Scheme {
  const { data, error } = configurationSchema.safeParse(configuration)
  if (data !== undefined) return data
  throw new AppError('bad_request', `signature scheme: ${z.prettifyError(error)}`, { cause: error })
}

function problemsOf(scheme: LeafScheme): readonly string[] {
  return scheme.kind === 'signed' ? signedProblems(scheme) : []
}

function signedProblems(scheme: SignedScheme): readonly string[] {
  const { algorithm, key, timestamp, signature } = scheme
  const used = [...scheme.signed.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const unknown = used.filter((name) => !placeholders.has(name))
  const isPublic = publicKeyAlgorithms.has(algorithm)
  const clash = overlapping.some((pair) => pair.every((each) => signature.encodings.includes(each)))
  const checks: readonly (readonly [boolean, string])[] = [
    [unknown.length > 0, `signed: no such placeholder: ${unknown.join(', ')}`],
    [
      !used.some((name) => name === 'body' || name === 'form'),
      'signed: must hold {body} or {form}',
    ],
    [
      (algorithm === 'sha256') !== used.includes('secret'),
      'signed: {secret} belongs to algorithm sha256, and sha256 without it proves nothing',
    ],
    [
      used.includes('timestamp') !== (timestamp !== undefined),
      'timestamp: must be told if, and only if, it is signed',
    ],
    [used.includes('id') && scheme.id === undefined, 'id: is signed, so its place must be told'],
    [
      isPublic !== (key.encoding === 'public-key'),
      `key: ${algorithm} does not take ${key.encoding}`,
    ],
    [
      timestamp?.at.in === 'element' && signature.list === undefined,
      'timestamp: an element needs a signature header that is a list',
    ],
    [clash, 'signature: encodings that read the same text differently'],
  ]
  return checks.filter(([wrong]) => wrong).map(([, message]) => message)
}
