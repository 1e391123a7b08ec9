/** One figure of a bench. `floor` is the least that any program must spend on the same work, in the same run. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly floor?: number
  /** Lowest and highest of the single runs. */
  readonly spread?: readonly [number, number]
}

export interface Bench {
  readonly name: string
  readonly summary: string
  readonly run: (progress: (line: string) => void) => Promise<readonly Figure[]>
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

export function toJson({ spread, ...figure }: Figure): string {
  const ratio = ratioOf(figure)
  return JSON.stringify({
    ...rounded(figure),
    ...(ratio === undefined ? {} : { ratio: round(ratio) }),
    ...(spread ? { spread: spread.map(round) } : {}),
  })
}

export function toRow(figure: Figure): string {
  const { name, value, unit, floor, spread } = figure
  const ratio = ratioOf(figure)
  return [
    name,
    `${round(value)} ${unit}`,
    spread ? `${round(spread[0])} … ${round(spread[1])}` : '',
    floor === undefined ? '' : `${round(floor)} ${unit}`,
    ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
  ].join(' | ')
}

function ratioOf({ value, floor }: Figure): number | undefined {
  return floor === undefined || floor === 0 ? undefined : value / floor
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
