/**
 * One figure of a bench. `floor` is the least that any program must spend on the same work, in the same run; of a quality it
 * is the best that was published, and has no ratio.
 */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly floor?: number
  /** What the work costs as a multiple of its floor; worked out from the two where it was not measured round by round. */
  readonly ratio?: number
  /** Lowest and highest of the single rounds. */
  readonly spread?: readonly [number, number]
  /** Told only to those who ask for this bench by its name. */
  readonly isDetail?: true
}

export interface Bench {
  readonly name: string
  readonly summary: string
  /** Measures so many rounds where its work comes in rounds. Throws when something that must hold does not. */
  readonly run: (progress: (line: string) => void, rounds: number) => Promise<readonly Figure[]>
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which a share of the values lies; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The median of single runs, with their spread. */
export function summarize(
  figure: Omit<Figure, 'value' | 'spread'>,
  values: readonly number[],
): Figure {
  return { ...figure, value: median(values), spread: [Math.min(...values), Math.max(...values)] }
}

/**
 * The same for work whose floor was measured beside it in every round. The ratio is the median of the rounds' own: what
 * else the machine does changes from round to round, and hits both halves of one.
 */
export function beside(
  { name, unit }: Pick<Figure, 'name' | 'unit'>,
  { values, floors }: { readonly values: readonly number[]; readonly floors: readonly number[] },
): Figure {
  const ratios = values.map((value, round) => {
    return ratioOf({ name, unit, value, floor: floors[round] ?? Number.NaN }) ?? Number.NaN
  })
  return { ...summarize({ name, unit }, values), floor: median(floors), ratio: median(ratios) }
}

export function toJson({ spread, isDetail: _isDetail, ...figure }: Figure): string {
  const ratio = ratioOf(figure)
  return JSON.stringify({
    ...rounded(figure),
    ...(ratio === undefined ? {} : { ratio: round(ratio) }),
    ...(spread ? { spread: spread.map(round) } : {}),
  })
}

export const columns = ['figure', 'value', 'spread', 'floor', 'ratio'] as const

/** The cells of a figure under `columns`. */
export function toCells(figure: Figure): readonly string[] {
  const { name, value, unit, floor, spread } = figure
  const ratio = ratioOf(figure)
  return [
    name,
    `${text(value)} ${unit}`,
    spread ? `${text(spread[0])} … ${text(spread[1])}` : '',
    floor === undefined ? '' : `${text(floor)} ${unit}`,
    ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
  ]
}

/** Of rates more is better: a work that costs twice its floor reaches half of it. */
const IS_RATE = /\/s$/
/** A quality is not paid for in multiples of anything. */
const IS_QUALITY = /^F1$|^share$/

function ratioOf({ value, floor, unit, ratio }: Figure): number | undefined {
  if (ratio !== undefined) return ratio
  if (floor === undefined || floor === 0 || value === 0) return undefined
  if (IS_QUALITY.test(unit)) return undefined
  return IS_RATE.test(unit) ? floor / value : value / floor
}

function rounded(figure: Omit<Figure, 'spread'>): object {
  const { floor } = figure
  return {
    ...figure,
    value: round(figure.value),
    ...(floor === undefined ? {} : { floor: round(floor) }),
  }
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}

function text(value: number): string {
  return round(value).toLocaleString('en-US', { maximumFractionDigits: 4 })
}
