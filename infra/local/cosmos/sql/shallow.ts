import type { Query } from './ast.ts'
import { SqlError } from './sql-error.ts'

/**
 * The longest way from the root of a syntax tree to a leaf. A chain such as `1+1+1...` is as deep as it is long without
 * any parenthesis, and what reads the tree calls itself once a level.
 */
export const MAX_TREE_DEPTH = 1_000

/** Refuses a tree that is deeper than its readers can go; itself uses no stack. */
export function assertShallow(query: Query): void {
  const open: { readonly node: object; readonly depth: number }[] = [{ node: query, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next
    if (depth > MAX_TREE_DEPTH) {
      throw new SqlError(`The query is too complex: deeper than ${MAX_TREE_DEPTH} levels.`, {
        code: 'SC3020',
      })
    }
    for (const child of Object.values(node)) {
      if (typeof child === 'object' && child !== null) open.push({ node: child, depth: depth + 1 })
    }
  }
}
