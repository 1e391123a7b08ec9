/** A terminal gets a bar that is drawn over itself, anything else a line now and then. */
const REDRAW_MS = 200
const LINE_MS = 5_000
const WIDTH = 30

export interface Share {
  readonly done: number
  readonly all: number
}

export interface Progress {
  readonly show: (label: string, share: Share, more: string) => void
  /** What follows stands on a line of its own. */
  readonly end: () => void
  readonly say: (line: string) => void
}

export function progressTo(
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
  now: () => number,
): Progress {
  let shownAt = Number.NEGATIVE_INFINITY
  let open = false
  const end = () => {
    if (open) stream.write('\n')
    open = false
    shownAt = Number.NEGATIVE_INFINITY
  }
  return {
    end,
    say: (line) => {
      end()
      stream.write(`${line}\n`)
    },
    show: (label, { done, all }, more) => {
      if (now() - shownAt < (stream.isTTY ? REDRAW_MS : LINE_MS)) return
      shownAt = now()
      const share = all === 0 ? 1 : Math.min(1, done / all)
      const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')
      const line = `${label} [${bar}] ${done} of ${all} ${more}`
      stream.write(stream.isTTY ? `\r${line}\u001B[K` : `${line}\n`)
      open = stream.isTTY
    },
  }
}
