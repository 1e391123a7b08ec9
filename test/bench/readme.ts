import { columns, toCells, type Figure } from './harness.ts'

export const markers = {
  begin: '<!-- figures: npm run bench -- --readme -->',
  end: '<!-- /figures -->',
} as const

/** What was measured where, in words that name no particular machine. */
export interface Machine {
  readonly cores: number
  readonly platform: string
  readonly node: string
}

/** The part between the markers; a name in the README stands for all figures of a run, none of them mixed with older ones. */
export function figuresOf(figures: readonly Figure[], machine: Machine): string {
  const { cores, platform, node } = machine
  const rows = [columns, ...figures.map(toCells)]
  const widths = columns.map((_, at) => Math.max(3, ...rows.map((row) => (row[at] ?? '').length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  const [head = columns, ...body] = rows
  return [
    `On ${cores} shared cores (${platform}, Node ${node}), functions, emulators and vendors on the same machine:`,
    '',
    line(head),
    rule,
    ...body.map(line),
  ].join('\n')
}

/** The README with another part between its markers. Throws when they are not there, once each and in their order. */
export function withFigures(readme: string, part: string): string {
  const [before, rest, ...more] = readme.split(markers.begin)
  const [old, after, ...others] = (rest ?? '').split(markers.end)
  const isMarked = before !== undefined && old !== undefined && after !== undefined
  if (!isMarked || more.length > 0 || others.length > 0) {
    throw new Error(`expected ${markers.begin} and ${markers.end} once each, in this order`)
  }
  return `${before}${markers.begin}\n\n${part}\n\n${markers.end}${after}`
}
