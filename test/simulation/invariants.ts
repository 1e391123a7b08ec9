import type { World } from './world.ts'

/** Those of design's architecture, by number. */
export const invariants: Readonly<Record<number, string>> = {
  1: 'durable before 2xx',
  2: 'effects happen once',
  3: 'completeness',
  4: 'fencing',
  5: 'no silent loss',
  6: 'no echo',
  7: 'one refresh',
  8: 'tenants apart, each with its share',
  9: 'waiting costs nothing, and everything comes to rest',
  10: 'secrets stay in the vault',
}

/** Which worlds hold their runs against which invariant. */
export function invariantTable(worlds: readonly World[]): string {
  return Object.entries(invariants)
    .map(([number, title]) => {
      const by = worlds.filter(({ checks }) => checks.includes(Number(number)))
      return `${number.padStart(2)} ${title.padEnd(52)} ${by.map(({ name }) => name).join(', ')}`
    })
    .join('\n')
}
