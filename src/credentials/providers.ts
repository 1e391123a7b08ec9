import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import type { Provider } from './provider.ts'

/** RFC 6749 with nothing special about it. */
const standard = {
  rotation: { kind: 'none' },
  killsOldAccess: false,
  clientAuthentication: 'body',
  encoding: 'form',
  lifetimeSeconds: 1_800,
  pkce: true,
  scopes: [],
  scopeSeparator: ' ',
} as const satisfies Partial<Provider>

/** A person at Slack and GitHub authorizes with a secret-bearing client; these vendors know no PKCE. */
const withoutPkce = { ...standard, pkce: false } as const

/** Every vendor whose tokens we can obtain and keep alive. */
export const providers: readonly Provider[] = [
  {
    ...standard,
    integrationId: 'servicenow',
    authorizeUrl: '/oauth_auth.do',
    tokenUrl: '/oauth_token.do',
    // The documents put the token into the address, where logs keep it; the body does as well.
    revocation: { url: '/oauth_revoke_token.do' },
    domains: ['service-now.com', 'servicenowservices.com'],
    scopes: ['useraccount'],
    assertionAudience: 'client_id',
    // It says the same for a wrong client as for a refresh token that was revoked.
    dead: [
      { error: 'server_error', status: 401 },
      { error: 'access_denied', status: 401 },
    ],
  },
  {
    ...standard,
    integrationId: 'salesforce',
    authorizeUrl: '/services/oauth2/authorize',
    tokenUrl: '/services/oauth2/token',
    revocation: { url: '/services/oauth2/revoke' },
    domains: ['salesforce.com', 'salesforce.mil'],
    rotation: { kind: 'optional' },
    // Answers never say how long: the shortest session policy is a quarter of an hour.
    lifetimeSeconds: 900,
    scopes: ['api', 'refresh_token'],
    dead: [{ error: 'inactive_user' }, { error: 'inactive_org' }],
  },
  {
    ...standard,
    integrationId: 'zendesk',
    authorizeUrl: '/oauth/authorizations/new',
    tokenUrl: '/oauth/tokens',
    revocation: {
      url: '/api/v2/oauth/tokens/current.json',
      method: 'DELETE',
      token: 'access',
      field: null,
      proof: 'bearer',
    },
    domains: ['zendesk.com'],
    rotation: { kind: 'single_use' },
    killsOldAccess: true,
    encoding: 'json',
    scopes: ['read', 'write'],
    tokenParameters: { expires_in: '1800' },
  },
  {
    ...withoutPkce,
    integrationId: 'github',
    authorizeUrl: 'https://github.com/login/oauth/authorize',
    tokenUrl: 'https://github.com/login/oauth/access_token',
    revocation: {
      url: 'https://api.github.com/applications/{client_id}/grant',
      method: 'DELETE',
      token: 'access',
      field: 'access_token',
      proof: 'basic',
      encoding: 'json',
    },
    rotation: { kind: 'single_use' },
    lifetimeSeconds: 28_800,
    dead: [{ error: 'bad_refresh_token' }],
  },
  {
    ...withoutPkce,
    integrationId: 'slack',
    authorizeUrl: 'https://slack.com/oauth/v2/authorize',
    tokenUrl: 'https://slack.com/api/oauth.v2.access',
    revocation: {
      url: 'https://slack.com/api/auth.revoke',
      token: 'access',
      field: null,
      proof: 'bearer',
    },
    rotation: { kind: 'single_use' },
    lifetimeSeconds: 43_200,
    scopeSeparator: ',',
    dead: [
      { error: 'invalid_refresh_token' },
      { error: 'token_already_exchanged' },
      { error: 'token_revoked' },
      { error: 'account_inactive' },
      { error: 'invalid_auth' },
    ],
  },
  {
    ...withoutPkce,
    integrationId: 'notion',
    authorizeUrl: 'https://api.notion.com/v1/oauth/authorize',
    tokenUrl: 'https://api.notion.com/v1/oauth/token',
    revocation: {
      url: 'https://api.notion.com/v1/oauth/revoke',
      token: 'access',
      headers: { 'notion-version': '2025-09-03' },
    },
    rotation: { kind: 'optional' },
    clientAuthentication: 'basic',
    encoding: 'json',
    lifetimeSeconds: 3_600,
    authorizeParameters: { owner: 'user' },
  },
  {
    ...standard,
    integrationId: 'google',
    authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    issuer: 'https://accounts.google.com',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    revocation: { url: 'https://oauth2.googleapis.com/revoke' },
    lifetimeSeconds: 3_599,
    // Without these two a second consent brings no refresh token.
    authorizeParameters: { access_type: 'offline', prompt: 'consent' },
    assertionAudience: 'token_url',
  },
  {
    ...standard,
    integrationId: 'microsoft',
    authorizeUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
    tokenUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
    // No endpoint ends a grant: an administrator there removes the app. The old token stays good for weeks; a day is more than any crash needs.
    rotation: { kind: 'reuse_window', windowMs: 24 * HOUR_MS },
    lifetimeSeconds: 3_600,
    scopes: ['offline_access'],
    dead: [{ error: 'interaction_required' }, { error: 'consent_required' }],
  },
  {
    ...standard,
    integrationId: 'hubspot',
    authorizeUrl: 'https://app.hubspot.com/oauth/authorize',
    tokenUrl: 'https://api.hubapi.com/oauth/v1/token',
    revocation: {
      url: 'https://api.hubapi.com/oauth/v1/refresh-tokens/{token}',
      method: 'DELETE',
      field: null,
      proof: 'none',
    },
    pkce: false,
    dead: [{ error: 'BAD_REFRESH_TOKEN' }],
  },
  {
    ...standard,
    // No documented endpoint ends a grant: it ends ninety days after its last use.
    integrationId: 'atlassian',
    authorizeUrl: 'https://auth.atlassian.com/authorize',
    tokenUrl: 'https://auth.atlassian.com/oauth/token',
    rotation: { kind: 'reuse_window', windowMs: 10 * MINUTE_MS },
    encoding: 'json',
    lifetimeSeconds: 3_600,
    scopes: ['offline_access'],
    authorizeParameters: { audience: 'api.atlassian.com', prompt: 'consent' },
  },
]

export function providerOf(integrationId: string): Provider | undefined {
  return providers.find((one) => one.integrationId === integrationId)
}
