import { createHash } from 'node:crypto'
import { z } from 'zod'
import { badRequest } from './errors.ts'

const positionShape = z.object({
  /** Which query, parameters and partition it belongs to. */
  of: z.string(),
  /** The last document that went out: its sort values (`[]` stands for undefined) and its sequence. */
  after: z.object({ keys: z.array(z.array(z.unknown())), sequence: z.int() }).optional(),
  /** Rows of that document which went out already, when the page ended within it. */
  rows: z.int().optional(),
  /** Rows still to come under TOP. */
  left: z.int().optional(),
  /** For rows that depend on all documents: how many went out. */
  skip: z.int().optional(),
})

/** Where the next page of a query begins. */
export type Position = z.infer<typeof positionShape>

/** Tells one query from another, so that a token is not taken for a query it does not belong to. */
export function queryMark(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 10)
}

export function encodePosition(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

export function decodePosition(token: string | undefined, mark: string): Position {
  if (token === undefined || token === '') return { of: mark }
  const parsed = positionShape.safeParse(parseJson(Buffer.from(token, 'base64url').toString()))
  if (!parsed.success || parsed.data.of !== mark) {
    throw badRequest('The continuation token is not valid for this query.')
  }
  return parsed.data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
