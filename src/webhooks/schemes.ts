import { hmacSchemes } from './schemes/hmac.ts'

/** Every signature scheme under the name that registrations use; to add one, add an entry to its family's file. */
export const schemes = {
  ...hmacSchemes,
}
