/** How a provider says that it has no room. */
export interface Tongue {
  readonly name: string
  /** `freeMs`: until there is room again. */
  readonly headers: (nowMs: number, freeMs: number) => Readonly<Record<string, string>>
  /** How long everybody has to leave it alone at least. */
  readonly pauseMs: (freeMs: number) => number
}

const HOUR_MS = 3_600_000
const seconds = (ms: number) => Math.ceil(ms / 1_000)
const noRoom = { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '0' }
/** What nobody takes at its word is waited out for at least so long. */
const guessMs = () => 2_000

export const tongues: readonly [Tongue, ...Tongue[]] = [
  {
    name: 'in seconds',
    headers: (_nowMs, freeMs) => ({ 'retry-after': String(seconds(freeMs)) }),
    pauseMs: (freeMs) => freeMs,
  },
  { name: 'by nothing', headers: () => ({}), pauseMs: guessMs },
  { name: 'of a day', headers: () => ({ 'retry-after': '86400' }), pauseMs: () => HOUR_MS },
  {
    name: 'by a reset in seconds',
    headers: (nowMs, freeMs) => ({
      ...noRoom,
      'x-ratelimit-reset': String(seconds(nowMs + freeMs)),
    }),
    pauseMs: (freeMs) => freeMs,
  },
  {
    name: 'by a reset in milliseconds',
    headers: (nowMs, freeMs) => ({
      ...noRoom,
      'x-ratelimit-reset': String(Math.ceil(nowMs + freeMs)),
    }),
    pauseMs: (freeMs) => freeMs,
  },
  {
    name: 'by a reset in the past',
    headers: (nowMs) => ({ ...noRoom, 'x-ratelimit-reset': String(seconds(nowMs - 60_000)) }),
    pauseMs: guessMs,
  },
  { name: 'by less than nothing', headers: () => ({ 'retry-after': '-5' }), pauseMs: () => 1_000 },
  {
    name: 'by a date',
    headers: (nowMs, freeMs) => ({
      'retry-after': new Date(seconds(nowMs + freeMs) * 1_000).toUTCString(),
    }),
    pauseMs: (freeMs) => freeMs,
  },
]
