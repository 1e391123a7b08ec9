/** System properties of the instance, and (`twin.…`) where the vendor leaves two behaviours open. */
const DEFAULTS = {
  /** A query with a bad term matches nothing instead of more (facts A2, Invalid terms). */
  'glide.invalid_query.returns_no_rows': 'false',
  /** Token parameters in the URL are refused (facts A1). */
  'glide.oauth.allow.parameters.in.post.body.only': 'true',
  'glide.oauth.state.parameter.required': 'true',
  /** `server_error`, or `rfc6749` for instances that name `invalid_grant` and `invalid_client` (facts A1). */
  'twin.oauth.errors': 'server_error',
  /** While the old access token lives, a refresh answers it again with a later expiry (facts A1, Rotation). */
  'twin.oauth.reuse_live_token': 'false',
  /** Resolving without `close_code` and `close_notes` is refused (facts A7). */
  'twin.incident.close_code_required': 'false',
} as const

export type PropertyName = keyof typeof DEFAULTS
export type Properties = Map<PropertyName, string>

export const PROPERTY_NAMES = Object.keys(DEFAULTS) as PropertyName[] // the keys of the table above

export function createProperties(): Properties {
  return new Map(PROPERTY_NAMES.map((name) => [name, DEFAULTS[name]]))
}
