import { github } from '../../src/connectors/github/index.ts'
import { salesforce } from '../../src/connectors/salesforce/index.ts'
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import type { Stream, StreamConfig } from '../../src/connectors/connector.ts'
import { startGitHub } from '../../infra/local/vendors/github.ts'
import { startSalesforce } from '../../infra/local/vendors/salesforce.ts'
import { startServiceNow } from '../../infra/local/vendors/servicenow.ts'
import { askForToken, clientFor, type Rig } from './rig.ts'

function streamOf(stream: Stream | undefined): Stream {
  if (!stream) throw new Error('the configuration does not suffice')
  return stream
}

interface TableRig {
  readonly config: StreamConfig
  readonly table: string
  readonly field: string
}

export async function serviceNowRig({ config, table, field }: TableRig) {
  const twin = await startServiceNow()
  const { control, settings } = twin
  const origin = settings['SERVICENOW_URL'] ?? ''
  const parts = clientFor({
    connector: servicenow,
    origin,
    control,
    token: () =>
      askForToken(`${origin}/oauth_token.do`, {
        grant_type: 'refresh_token',
        refresh_token: control.issueRefreshToken(),
        client_id: settings['SERVICENOW_CLIENT_ID'] ?? '',
        client_secret: settings['SERVICENOW_CLIENT_SECRET'] ?? '',
      }),
  })
  const rows = () => control.rows(table).filter((row) => row['sys_created_by'] !== 'system')
  const known = new Set(rows().map((row) => row['sys_id']))
  const rig = {
    ...parts,
    control,
    field,
    stream: streamOf(servicenow.configure(config)),
    create: (text: string) => control.create(table, { [field]: text })['sys_id'] ?? '',
    edit: (id: string, text: string) => void control.update(table, id, { [field]: text }),
    remove: (id: string) => control.remove(table, id),
    commitLate: (text: string, seconds: number) =>
      control.commitLate(table, { [field]: text }, seconds)['sys_id'] ?? '',
    hide: (id: string) => control.hideRows(table, `sys_id=${id}`),
    rows: () =>
      new Map(
        rows()
          .filter((row) => !known.has(row['sys_id']))
          .map((row) => [row['sys_id'] ?? '', row[field] ?? '']),
      ),
    expireTokens: () => control.expireAccessTokens(),
    lieAboutTotals: (by: number) => control.lieAboutTotals(by),
    throttles: {
      'a rate rule': { set: () => control.throttle('rule'), afterMs: 30_000 },
      'the semaphores': { set: () => control.throttle('semaphore') },
      'a transaction quota': { set: () => control.throttle('quota') },
      'a dropped call': { set: () => control.fail({ operation: '/api/now', status: 202 }) },
    },
    showPage: (times: number, status: number) =>
      control.fail({
        operation: '/api/now',
        times,
        status,
        headers: { 'content-type': 'text/html' },
        body: '<!DOCTYPE html>',
      }),
    reads: 'GET /api/now',
    writes: 'POST /api/now/v1/batch',
    changes: 'POST /api/now/v1/batch',
    refuseOne: () =>
      control.fail({
        operation: `batch POST /api/now/table/${table}`,
        status: 403,
        body: '{"error":{"message":"Operation Failed","detail":"a data policy"},"status":"failure"}',
      }),
    [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose](),
  }
  return rig satisfies Rig
}

export async function salesforceRig(entityType: string, object: string, field: string) {
  const twin = await startSalesforce()
  const { control, settings } = twin
  const origin = settings['SALESFORCE_URL'] ?? ''
  const refreshToken = control.issueRefreshToken()
  const parts = clientFor({
    connector: salesforce,
    origin,
    control,
    token: () =>
      askForToken(`${origin}/services/oauth2/token`, {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: settings['SALESFORCE_CLIENT_ID'] ?? '',
        client_secret: settings['SALESFORCE_CLIENT_SECRET'] ?? '',
      }),
  })
  const rig = {
    ...parts,
    control,
    field,
    stream: streamOf(salesforce.configure({ entityType })),
    create: (text: string) => String(control.create(object, { [field]: text })['Id']),
    edit: (id: string, text: string) => void control.update(object, id, { [field]: text }),
    remove: (id: string) => control.remove(object, id),
    commitLate: (text: string, seconds: number) =>
      String(control.commitLate(object, { [field]: text }, seconds)['Id']),
    hide: (id: string) =>
      control.fail({ operation: `GET .*/sobjects/${object}/`, status: 403, body: refusal(id) }),
    rows: () => new Map(control.rows(object).map((row) => [String(row['Id']), String(row[field])])),
    expireTokens: () => control.expireSessions(),
    lieAboutTotals: (by: number) => control.lieAboutTotals(by),
    throttles: {
      'the daily quota': { set: () => control.throttle('quota'), afterMs: 900_000 },
      'long calls at once': { set: () => control.throttle('concurrency') },
      'the edge': { set: () => control.throttle('edge') },
      'a locked row': {
        set: () => control.fail({ operation: '/data', status: 400, body: error('QUERY_TIMEOUT') }),
      },
    },
    showPage: (times: number, status: number) => control.maintain(times, status),
    reads: 'GET /services/data',
    writes: '(POST|PATCH|DELETE) /services/data',
    changes: 'PATCH /services/data',
    refuseOne: () => control.rejectWrites('FIELD_CUSTOM_VALIDATION_EXCEPTION'),
    [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose](),
  }
  return rig satisfies Rig
}

const error = (errorCode: string) => JSON.stringify([{ message: errorCode, errorCode }])
const refusal = (id: string) =>
  JSON.stringify([{ message: `no access to ${id}`, errorCode: 'INSUFFICIENT_ACCESS' }])

export async function gitHubRig() {
  const twin = await startGitHub()
  const { control, settings } = twin
  const origin = settings['GITHUB_URL'] ?? ''
  let refreshToken = control.issueRefreshToken()
  const parts = clientFor({
    connector: github,
    origin,
    control,
    token: async () => {
      const answer = await askForToken(`${origin}/login/oauth/access_token`, {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: settings['GITHUB_CLIENT_ID'] ?? '',
        client_secret: settings['GITHUB_CLIENT_SECRET'] ?? '',
      })
      refreshToken = (answer as { refresh_token?: string }).refresh_token ?? '' // it rotates
      return answer
    },
  })
  const rig = {
    ...parts,
    control,
    field: 'title',
    stream: streamOf(github.configure({ entityType: 'incident', object: 'octo/hello' })),
    create: (title: string) => {
      control.open({ title: `pull request beside ${title}`, isPullRequest: true })
      return String(control.open({ title }).number)
    },
    edit: (id: string, title: string) => void control.edit(Number(id), { title }),
    remove: (id: string) => control.remove(Number(id)),
    commitLate: (title: string, seconds: number) =>
      String(control.commitLate({ title }, seconds).number),
    hide: () => control.hide(true),
    rows: () =>
      new Map(
        control
          .issues()
          .filter(({ isPullRequest }) => !isPullRequest)
          .map(({ number, title }) => [String(number), title]),
      ),
    expireTokens: () => control.expireAccessTokens(),
    throttles: {
      'the primary limit': { set: () => control.throttle('primary') },
      'the secondary limit': { set: () => control.throttle('secondary'), afterMs: 30_000 },
      'the secondary limit in words alone': {
        set: () => control.throttle('secondary-without-headers'),
        afterMs: 60_000,
      },
    },
    showPage: (times: number, status: number) => control.showUnicorn(times, status),
    reads: 'GET /repos',
    writes: '(POST|PATCH) /repos',
    changes: 'PATCH /repos',
    refuseOne: () =>
      control.fail({
        operation: 'POST /repos',
        status: 422,
        body: '{"message":"Validation Failed"}',
      }),
    [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose](),
  }
  return rig satisfies Rig
}

const problem: StreamConfig = {
  entityType: 'problem',
  fields: [{ local: 'title', external: 'short_description', type: 'text' }],
  markerField: 'correlation_id',
}

type Start = readonly [string, () => Promise<Rig>]

/** Every stream of every connector. */
export const rigs: readonly Start[] = [
  ...(
    [
      ['incident', 'incident', 'short_description'],
      ['change_request', 'change_request', 'short_description'],
      ['sys_user', 'sys_user', 'title'],
      ['sysapproval_approver', 'sysapproval_approver', 'document_id'],
    ] as const
  ).map(
    ([entityType, table, field]) =>
      [
        `ServiceNow ${table}`,
        () => serviceNowRig({ config: { entityType }, table, field }),
      ] as const,
  ),
  [
    'ServiceNow problem, configured',
    () => serviceNowRig({ config: problem, table: 'problem', field: 'short_description' }),
  ],
  ['Salesforce Case', () => salesforceRig('incident', 'Case', 'Subject')],
  ['Salesforce Contact', () => salesforceRig('contact', 'Contact', 'LastName')],
  ['Salesforce Account', () => salesforceRig('account', 'Account', 'Name')],
  ['GitHub issues', () => gitHubRig()],
]
