import type { Scheme } from './scheme.ts'
import { asymmetricSchemes } from './schemes/asymmetric.ts'
import { hmacSchemes } from './schemes/hmac.ts'
import { requestSchemes } from './schemes/request.ts'
import { timestampedSchemes } from './schemes/timestamped.ts'
import { tokenSchemes } from './schemes/token.ts'

/** Every signature scheme under the name that registrations use; to add one, add an entry to its family's file. */
export const schemes = {
  ...hmacSchemes,
  ...timestampedSchemes,
  ...requestSchemes,
  ...asymmetricSchemes,
  ...tokenSchemes,
}

export type SchemeName = keyof typeof schemes

/** The entry of that name; undefined for a name that is none, inherited ones among them. */
export function schemeNamed(name: string): Scheme | undefined {
  return isSchemeName(name) ? schemes[name] : undefined
}

function isSchemeName(name: string): name is SchemeName {
  return Object.hasOwn(schemes, name)
}
