import type { Frame } from './scope.ts'

/** Saves and restores the slots that make a row; a row of one source is saved as its bare value. */
export function keep(slots: readonly number[]): {
  readonly save: (frame: Frame) => unknown
  readonly restore: (frame: Frame, row: unknown) => void
} {
  const [only] = slots
  if (only !== undefined && slots.length === 1) {
    return {
      save: (frame) => frame.slots[only],
      restore: (frame, row) => {
        frame.slots[only] = row
      },
    }
  }
  return {
    save: (frame) => slots.map((slot) => frame.slots[slot]),
    restore: (frame, row) => {
      const values = Array.isArray(row) ? row : []
      for (const [index, slot] of slots.entries()) frame.slots[slot] = values[index]
    },
  }
}
