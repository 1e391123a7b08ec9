/** A field's value as the REST API shows it. */
export type Value = string | number | boolean | null
/** A record as the database holds it; `Id` and the system fields are always there. */
export type Row = Readonly<Record<string, Value>>
export type Changes = Readonly<Record<string, Value>>

/** `2026-11-20T12:00:00.000+0000`: whole seconds, and a zone without a colon (facts B2). */
export function toStamp(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('Z', '+0000')
}

/** Milliseconds since the epoch; NaN for what is no stamp. */
export function fromStamp(stamp: Value | undefined): number {
  return Date.parse(String(stamp ?? '').replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const CHECK = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'

/** The id of the nth record of an object; ids grow in their own order. */
export function makeId(prefix: string, nth: number): string {
  let digits = ''
  for (let rest = nth; digits.length < 9; rest = Math.floor(rest / DIGITS.length))
    digits = DIGITS.charAt(rest % DIGITS.length) + digits
  return withChecksum(`${prefix}Hs0${digits}`)
}

/** 15 characters, case-sensitive, or 18: the last three say which letters are upper case (facts B2, Ids). */
export function toFullId(id: string): string | undefined {
  if (!/^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(id)) return undefined
  return withChecksum(id.slice(0, 15))
}

function withChecksum(short: string): string {
  const chunks = short.match(/.{5}/g) ?? []
  const checks = chunks.map((chunk) => {
    const bits = [4, 3, 2, 1, 0].map((at) => (/[A-Z]/.test(chunk.charAt(at)) ? '1' : '0'))
    return CHECK.charAt(Number.parseInt(bits.join(''), 2))
  })
  return short + checks.join('')
}
