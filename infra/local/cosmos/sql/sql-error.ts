/** The codes the service puts beside its messages; a caller may show them as `{"code": "SC1001", ...}`. */
export type SqlErrorCode =
  /** The text is not of the grammar. */
  | 'SC1001'
  /** A name is not bound by FROM or JOIN. */
  | 'SC2001'
  /** No built-in function has this name. */
  | 'SC2005'
  /** A built-in function with the wrong number of arguments. */
  | 'SC2050'
  /** The grammar allows it, the meaning does not. */
  | 'SC2102'
  /** Larger or deeper than the service takes. */
  | 'SC3020'

/** A query that cannot be run. `position` and `end` count UTF-16 units from the start of the text. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly code: SqlErrorCode
  readonly position: number
  readonly end: number

  constructor(message: string, where: { code: SqlErrorCode; start?: number; end?: number }) {
    super(message)
    this.code = where.code
    this.position = where.start ?? 0
    this.end = where.end ?? this.position
  }
}
