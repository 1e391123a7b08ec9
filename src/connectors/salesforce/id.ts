const ID = /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/
const CHECK = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'

/**
 * The 18-character form of a record's id. Ids of 15 characters tell their letters' cases apart; the other three say which
 * are upper case, five of them each. Undefined for what is no id.
 */
export function fullId(id: unknown): string | undefined {
  if (typeof id !== 'string' || !ID.test(id)) return undefined
  const short = id.slice(0, 15)
  const checks = [0, 5, 10].map((start) => {
    const upper = [0, 1, 2, 3, 4].filter((at) => /[A-Z]/.test(short.charAt(start + at)))
    return CHECK.charAt(upper.reduce((sum, at) => sum + 2 ** at, 0))
  })
  return short + checks.join('')
}
