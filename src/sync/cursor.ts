/**
 * A place in a stream that is ordered by (time, id): everything up to and including this row was seen. Both values are
 * the vendor's own; our clock never takes part.
 */
export interface Cursor {
  /** The vendor's change stamp, ISO 8601 UTC. */
  readonly time: string
  /** The vendor's id of the row. Empty: before every row of that time. */
  readonly id: string
}

/** Negative, zero or positive as `a` lies before, at or after `b`. ISO 8601 stamps of one format compare as texts. */
export function compareCursors(a: Cursor, b: Cursor): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  if (a.id !== b.id) return a.id < b.id ? -1 : 1
  return 0
}

export function laterOf(a: Cursor | null, b: Cursor | null): Cursor | null {
  if (a === null || b === null) return a ?? b
  return compareCursors(a, b) >= 0 ? a : b
}

/**
 * Where a new run begins: some time before the last row seen, for rows that were committed late with an earlier stamp.
 * What is read twice is recognised by its content and costs no write.
 */
export function rewound(cursor: Cursor | null, overlapMs: number): Cursor | null {
  if (cursor === null) return null
  return { time: new Date(Date.parse(cursor.time) - overlapMs).toISOString(), id: '' }
}
