import type { LocalRequest } from '../../http-server.ts'
import type { Account, Accounts, Credentials } from './accounts.ts'
import type { TokenStore } from './tokens.ts'

export type ApiCaller = Account

export interface Doors {
  readonly accounts: Accounts
  readonly tokens: TokenStore
  readonly credentials: Credentials
}

/** Bearer token, basic auth, or API key in `x-sn-apikey` or the query (facts A1). */
export function authenticate(request: LocalRequest, doors: Doors): ApiCaller | undefined {
  const { accounts, tokens, credentials } = doors
  const apiKey = request.headers['x-sn-apikey'] ?? request.url.searchParams.get('x-sn-apikey')
  if (apiKey) return apiKey === credentials.apiKey ? accounts.find(credentials.userName) : undefined
  const [scheme = '', value = ''] = (request.headers['authorization'] ?? '').split(' ')
  if (/^bearer$/i.test(scheme)) {
    const userName = tokens.userOf(value)
    return userName === undefined ? undefined : accounts.find(userName)
  }
  if (!/^basic$/i.test(scheme)) return undefined
  const decoded = Buffer.from(value, 'base64').toString()
  const colon = decoded.indexOf(':')
  return accounts.signIn(decoded.slice(0, colon), decoded.slice(colon + 1))
}
