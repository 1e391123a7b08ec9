import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { beside, quantile, toCells, toJson } from './harness.ts'
import { figuresOf, markers, withFigures } from './readme.ts'

test('a ratio says how many times the floor something costs, also where more is better', () => {
  expect(JSON.parse(toJson({ name: 'a', value: 30, unit: 'ms', floor: 20 }))).toEqual({
    name: 'a',
    value: 30,
    unit: 'ms',
    floor: 20,
    ratio: 1.5,
  })
  const rate = { name: 'b', value: 500, unit: 'rows/s', floor: 1_000 }
  expect(JSON.parse(toJson(rate))).toMatchObject({ ratio: 2 })
  expect(JSON.parse(toJson({ name: 'c', value: 5, unit: 'ms' }))).toEqual({
    name: 'c',
    value: 5,
    unit: 'ms',
  })
})

test('a quality stands beside the best that was published, as no multiple of it', () => {
  const quality = { name: 'a', value: 0.96, unit: 'F1', floor: 0.933 }
  expect(JSON.parse(toJson({ ...quality, isDetail: true }))).toEqual(quality)
  expect(toCells(quality)).toEqual(['a', '0.96 F1', '', '0.933 F1', ''])
})

test('the ratio of rounds is the median of their own ratios, whatever the machine did in between', () => {
  const figure = beside({ name: 'a', unit: 'ms' }, { values: [12, 120, 24], floors: [10, 100, 10] })
  expect(figure).toEqual({
    name: 'a',
    unit: 'ms',
    value: 24,
    spread: [12, 120],
    floor: 10,
    ratio: 1.2,
  })
})

test('a quantile of nothing is no number', () => {
  expect(quantile([], 0.5)).toBeNaN()
  expect(quantile([3, 1, 2], 0.5)).toBe(2)
  expect(quantile([1, 2, 3, 4], 0.95)).toBe(4)
})

const figures = [
  { name: 'inbound_new', value: 6_400, unit: 'rows/s', floor: 7_000 },
  { name: 'load', value: 84, unit: 'ms', spread: [80, 99] as const },
]
const machine = { cores: 2, platform: 'Linux x64', node: '24' }

test('the table has a row for each figure under the same columns', () => {
  const lines = figuresOf(figures, machine).split('\n').slice(2)
  expect(lines).toHaveLength(4)
  expect(new Set(lines.map((line) => line.length)).size).toBe(1)
  expect(lines[2]).toMatch(/^\| inbound_new \| 6,400 rows\/s \| +\| 7,000 rows\/s \| 1\.09 × \|$/)
  expect(figures.map(toCells).at(-1)?.[2]).toBe('80 … 99')
})

test('what stands outside the markers stays as it is, and a second time changes nothing', () => {
  const readme = `# A\n\n${markers.begin}\nold\n${markers.end}\n\n## B\n`
  const once = withFigures(readme, figuresOf(figures, machine))
  expect(once.startsWith(`# A\n\n${markers.begin}\n`)).toBe(true)
  expect(once.endsWith(`${markers.end}\n\n## B\n`)).toBe(true)
  expect(once).not.toContain('old')
  expect(withFigures(once, figuresOf(figures, machine))).toBe(once)
})

test.for([
  ['no marker', '# A\n'],
  ['no end', `${markers.begin}\n`],
  ['the end before the beginning', `${markers.end}\n${markers.begin}\n`],
  ['two beginnings', `${markers.begin}\n${markers.begin}\n${markers.end}\n`],
])('a README with %s is left alone', ([, readme = '']) => {
  expect(() => withFigures(readme, 'x')).toThrow('once each')
})

test('the README has the markers, and a table between them', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(withFigures(readme, 'x')).toContain(`${markers.begin}\n\nx\n\n${markers.end}`)
  expect(readme.split(markers.begin)[1]).toMatch(/\| figure +\| value +\|/)
})
