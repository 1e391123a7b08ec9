import type { LocalRequest, LocalResponse } from '../../http-server.ts'
import { failure, notAuthenticated, type ApiVersion } from './answers.ts'
import type { Account } from './accounts.ts'
import { authenticate } from './authenticate.ts'
import { answerBatch, type BatchQuota } from './batch-api.ts'
import { answerImport, type ImportSet } from './import-set-api.ts'
import { answerAuthorization, answerRevocation, answerToken, type OAuth } from './oauth.ts'
import type { RateRules } from './rate-rules.ts'
import type { Sessions } from './sessions.ts'
import { callTable, type Twin } from './table-api.ts'

export interface ApiParts extends Twin, OAuth {
  readonly rates: RateRules
  readonly sessions: Sessions
  readonly batchQuota: BatchQuota
  readonly importSets: Readonly<Record<string, ImportSet>>
  /** Who sits at the browser when `/oauth_auth.do` is opened. */
  readonly signedInUser: () => string
  /** Counts an item of a batch and tells what is planned to go wrong with it. */
  readonly enterItem: (operation: string) => LocalResponse | undefined
}

const API_PATH = /^\/api\/now\/(?:(v1|v2)\/)?(table|import|batch)(?:\/(\w+))?(?:\/(\w+))?$/

/** `GET /api/now/table/incident/{sys_id}`: names a call for counts, faults and rate rules. */
export function operationOf({ method, url }: LocalRequest): string {
  return `${method} ${url.pathname.replace(/(\/(?:table|import)\/\w+)\/\w+$/, '$1/{sys_id}')}`
}

/** Answers one request of a client. */
export function answerRequest(
  request: LocalRequest,
  parts: ApiParts,
): LocalResponse | Promise<LocalResponse> {
  switch (request.url.pathname) {
    case '/oauth_token.do':
      return answerToken(request, parts)
    case '/oauth_revoke_token.do':
      return answerRevocation(request, parts)
    case '/oauth_auth.do':
      return answerAuthorization(request, parts, parts.signedInUser())
    default:
      return parts.sessions.run(request, () => answerApi(request, parts))
  }
}

function answerApi(request: LocalRequest, parts: ApiParts): LocalResponse {
  const caller = authenticate(request, parts)
  return caller ? countAndRoute(request, parts, caller) : notAuthenticated()
}

function countAndRoute(request: LocalRequest, parts: ApiParts, caller: Account): LocalResponse {
  const verdict = parts.rates.count(operationOf(request), parts.instance.nowMs())
  const response = verdict.refusal ?? route(request, parts, caller)
  return { ...response, headers: { ...response.headers, ...verdict.headers } }
}

function route(request: LocalRequest, parts: ApiParts, caller: Account): LocalResponse {
  const { pathname } = request.url
  const [matched, version = '', api, name = '', sysId] = API_PATH.exec(pathname) ?? []
  if (matched === undefined) return unknown(pathname)
  const call = { ...parts, request, caller, version: toVersion(version) }
  if (api === 'table' && name !== '') return callTable({ ...call, table: name, sysId })
  const importSet =
    api === 'import' && request.method === 'POST' ? parts.importSets[name] : undefined
  if (importSet) return answerImport(call, name, importSet)
  if (api !== 'batch' || request.method !== 'POST') return unknown(pathname)
  return answerBatch(request, parts.batchQuota, (item) => {
    return parts.enterItem(`batch ${operationOf(item)}`) ?? countAndRoute(item, parts, caller)
  })
}

function toVersion(version: string): ApiVersion {
  return version === 'v1' || version === 'v2' ? version : ''
}

function unknown(pathname: string): LocalResponse {
  return failure(400, 'Requested URI does not represent any resource', pathname)
}
