/** An answer of a token endpoint as a vendor words it. */
export interface Refusal {
  readonly status: number
  readonly body: object
}

/** How one vendor's authorization server behaves (facts/providers.md, section M2 and the vendors' own sections). */
export interface Profile {
  readonly authorizePath: string
  readonly tokenPath: string
  /** How a grant is ended; nothing where the vendor has no such call. `takes`: which token it wants. */
  readonly revocation?: {
    readonly method: 'POST' | 'DELETE'
    /** May end in `/`: the token follows. */
    readonly path: string
    readonly takes: 'refresh' | 'access'
    /** Where in the body it stands; `token` (RFC 7009 §2.1) where nothing is said, null where it may not. */
    readonly field?: 'access_token' | null
    readonly proof: 'client in body' | 'client in header' | 'token in header' | 'none'
  }
  /** What it asks of the assertion of a JWT bearer (RFC 7523 §3); nothing where it takes none. */
  readonly assertion?: {
    readonly audience: 'client id' | 'origin'
    readonly skewSeconds: number
    /** Between now and `exp`, at most. */
    readonly longestSeconds: number
    /** Whether a `jti` works once. */
    readonly once: boolean
  }
  /** `never`: the refresh token stays; `always`: each refresh ends it, after the leeway. */
  readonly rotation: 'never' | 'always'
  /** Milliseconds in which a refresh token that was used may be used again. */
  readonly leewayMs: number
  readonly killsOldAccess: boolean
  /** What the answer says of the lifetime; nothing where undefined. */
  readonly expiresIn: number | string | undefined
  /** Seconds that access tokens really live. */
  readonly lifetimeSeconds: number
  readonly client: 'body' | 'basic'
  readonly encoding: 'form' | 'json' | 'either'
  readonly refreshTokenInAnswer: 'always' | 'when it is new'
  /** Parameters without which a person's browser, or a call of the token endpoint, is sent away. */
  readonly authorizeNeeds: Readonly<Record<string, string>>
  readonly tokenNeeds?: Readonly<Record<string, string>>
  readonly needsPkce: boolean
  /** What else stands in the answer. */
  readonly more?: object
  /** Answers a form to whoever does not ask for JSON. */
  readonly formByDefault?: boolean
  readonly deadGrant: Refusal
  readonly badClient: Refusal
}

const standard: Profile = {
  authorizePath: '/oauth/authorize',
  tokenPath: '/oauth/token',
  rotation: 'never',
  leewayMs: 0,
  killsOldAccess: false,
  expiresIn: 3_600,
  lifetimeSeconds: 3_600,
  client: 'body',
  encoding: 'form',
  refreshTokenInAnswer: 'when it is new',
  authorizeNeeds: {},
  needsPkce: true,
  deadGrant: {
    status: 400,
    body: { error: 'invalid_grant', error_description: 'The refresh token is invalid.' },
  },
  badClient: { status: 401, body: { error: 'invalid_client' } },
}

/** The vendors that the twin can play. */
export const profiles = {
  servicenow: {
    ...standard,
    authorizePath: '/oauth_auth.do',
    tokenPath: '/oauth_token.do',
    revocation: {
      method: 'POST',
      path: '/oauth_revoke_token.do',
      takes: 'refresh',
      proof: 'none',
    },
    assertion: { audience: 'client id', skewSeconds: 300, longestSeconds: 3_600, once: true },
    expiresIn: 1_799,
    authorizeNeeds: { scope: 'useraccount' },
    more: { scope: 'useraccount' },
    lifetimeSeconds: 1_800,
    refreshTokenInAnswer: 'always',
    deadGrant: {
      status: 401,
      body: { error: 'server_error', error_description: 'access_denied' },
    },
    badClient: {
      status: 401,
      body: { error: 'server_error', error_description: 'access_denied' },
    },
  },
  salesforce: {
    ...standard,
    authorizePath: '/services/oauth2/authorize',
    tokenPath: '/services/oauth2/token',
    revocation: {
      method: 'POST',
      path: '/services/oauth2/revoke',
      takes: 'refresh',
      proof: 'none',
    },
    assertion: { audience: 'origin', skewSeconds: 0, longestSeconds: 300, once: false },
    rotation: 'always',
    expiresIn: undefined,
    lifetimeSeconds: 7_200,
    authorizeNeeds: { scope: 'api refresh_token' },
    more: { issued_at: '1772359200000', scope: 'api refresh_token' },
    deadGrant: {
      status: 400,
      body: { error: 'invalid_grant', error_description: 'expired access/refresh token' },
    },
    badClient: { status: 400, body: { error: 'invalid_client_id' } },
  },
  zendesk: {
    ...standard,
    authorizePath: '/oauth/authorizations/new',
    tokenPath: '/oauth/tokens',
    revocation: {
      method: 'DELETE',
      path: '/api/v2/oauth/tokens/current.json',
      takes: 'access',
      field: null,
      proof: 'token in header',
    },
    rotation: 'always',
    killsOldAccess: true,
    expiresIn: 1_800,
    lifetimeSeconds: 1_800,
    encoding: 'either',
    authorizeNeeds: { scope: 'read write' },
    tokenNeeds: { expires_in: '1800' },
  },
  github: {
    ...standard,
    authorizePath: '/login/oauth/authorize',
    tokenPath: '/login/oauth/access_token',
    revocation: {
      method: 'DELETE',
      path: '/applications/twin-client/grant',
      takes: 'access',
      field: 'access_token',
      proof: 'client in header',
    },
    rotation: 'always',
    expiresIn: 28_800,
    lifetimeSeconds: 28_800,
    needsPkce: false,
    formByDefault: true,
    deadGrant: { status: 200, body: { error: 'bad_refresh_token' } },
    badClient: { status: 200, body: { error: 'incorrect_client_credentials' } },
  },
  slack: {
    ...standard,
    authorizePath: '/oauth/v2/authorize',
    tokenPath: '/api/oauth.v2.access',
    revocation: {
      method: 'POST',
      path: '/api/auth.revoke',
      takes: 'access',
      field: null,
      proof: 'token in header',
    },
    rotation: 'always',
    expiresIn: 43_200,
    lifetimeSeconds: 43_200,
    needsPkce: false,
    more: { ok: true, team: { id: 'T1' } },
    deadGrant: { status: 200, body: { ok: false, error: 'invalid_refresh_token' } },
    badClient: { status: 200, body: { ok: false, error: 'bad_client_secret' } },
  },
  notion: {
    ...standard,
    authorizePath: '/v1/oauth/authorize',
    tokenPath: '/v1/oauth/token',
    revocation: {
      method: 'POST',
      path: '/v1/oauth/revoke',
      takes: 'access',
      proof: 'client in header',
    },
    rotation: 'always',
    expiresIn: undefined,
    client: 'basic',
    encoding: 'json',
    needsPkce: false,
    authorizeNeeds: { owner: 'user' },
    more: { bot_id: 'b', duplicated_template_id: null },
  },
  google: {
    ...standard,
    authorizePath: '/o/oauth2/v2/auth',
    tokenPath: '/token',
    revocation: { method: 'POST', path: '/revoke', takes: 'refresh', proof: 'none' },
    expiresIn: 3_599,
    authorizeNeeds: { access_type: 'offline', prompt: 'consent' },
  },
  microsoft: {
    ...standard,
    authorizePath: '/common/oauth2/v2.0/authorize',
    tokenPath: '/common/oauth2/v2.0/token',
    rotation: 'always',
    leewayMs: 90 * 24 * 3_600_000,
    expiresIn: '4321',
    lifetimeSeconds: 4_321,
    authorizeNeeds: { scope: 'offline_access' },
    more: { ext_expires_in: 4_321, scope: '' },
    deadGrant: {
      status: 400,
      body: { error: 'invalid_grant', error_codes: [700082], suberror: 'bad_token' },
    },
    badClient: { status: 401, body: { error: 'invalid_client', error_codes: [7000222] } },
  },
  hubspot: {
    ...standard,
    tokenPath: '/oauth/v1/token',
    revocation: {
      method: 'DELETE',
      path: '/oauth/v1/refresh-tokens/',
      takes: 'refresh',
      field: null,
      proof: 'none',
    },
    expiresIn: 1_800,
    lifetimeSeconds: 1_800,
    refreshTokenInAnswer: 'always',
    needsPkce: false,
    deadGrant: {
      status: 400,
      body: { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' },
    },
  },
  atlassian: {
    ...standard,
    authorizePath: '/authorize',
    rotation: 'always',
    leewayMs: 10 * 60_000,
    encoding: 'json',
    authorizeNeeds: { audience: 'api.atlassian.com', prompt: 'consent', scope: 'offline_access' },
    deadGrant: {
      status: 403,
      body: { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' },
    },
  },
} as const satisfies Readonly<Record<string, Profile>>

export type ProfileName = keyof typeof profiles
