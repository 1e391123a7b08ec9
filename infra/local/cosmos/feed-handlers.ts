import type { Answer } from './answer.ts'
import { queryCharge } from './charge.ts'
import { feedEtag, feedPosition, readChanges } from './change-feed.ts'
import type { Container, Partition } from './container.ts'
import { effectiveKey } from './effective-key.ts'
import { badRequest } from './errors.ts'
import { about, type Call } from './call.ts'
import { isPrefixOf, parseKey } from './partition-key.ts'
import { readPage, type Page, type PageRequest } from './query-page.ts'
import { checkOrder } from './query-shape.ts'
import { prepare } from './prepared-query.ts'
import { queryBody } from './request-body.ts'
import { isTrue } from './route.ts'

/** Rows in a page when the client names no number (vendor's REST reference; remembered). */
const DEFAULT_PAGE = 100

export function query(call: Call, container: Container): Answer {
  const { query: text, parameters } = queryBody(call.request.body)
  return pageAnswer(call, container, { text, parameters })
}

/** Without a query: every item, page by page. */
export function readFeed(call: Call, container: Container): Answer {
  return pageAnswer(call, container, { text: 'SELECT * FROM c', parameters: new Map() })
}

/**
 * What a query means for the client that would merge the ranges itself. With one range there is nothing to merge, so the
 * plan is the same for every query that can be compiled.
 */
export function queryPlan(call: Call, container: Container): Answer {
  const { query: text } = queryBody(call.request.body)
  checkOrder(prepare(text).compiled.orderBy, container.indexing)
  return { status: 200, charge: 0, body: CONSTANT_PLAN }
}

const CONSTANT_PLAN = {
  partitionedQueryExecutionInfoVersion: 2,
  queryInfo: {
    distinctType: 'None',
    top: null,
    offset: null,
    limit: null,
    orderBy: [],
    orderByExpressions: [],
    groupByExpressions: [],
    groupByAliases: [],
    aggregates: [],
    groupByAliasToAggregateType: {},
    rewrittenQuery: '',
    hasSelectValue: false,
    hasNonStreamingOrderBy: false,
  },
  queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
}

export function changeFeed(call: Call, container: Container): Answer {
  const { headers } = call.request
  if (headers['a-im'] !== 'Incremental Feed' && headers['a-im'] !== 'Incremental feed') {
    throw badRequest(
      `The change feed mode ${headers['a-im']} is not emulated; use the latest version mode.`,
    )
  }
  const page = readChanges({
    container,
    covers: coverage(call, container),
    afterLsn: feedPosition(headers['if-none-match'], container),
    sinceMs: sinceOf(headers['if-modified-since']),
    maxItems: pageSize(headers['x-ms-max-item-count']),
  })
  const returnedBytes = page.items.reduce((total, { bytes }) => total + bytes, 0)
  const work = { returnedBytes, lookedUp: page.items.length, scanned: 0, indexEntries: 0 }
  const answer = { charge: queryCharge(work), headers: { etag: feedEtag(page.lsn) } }
  if (page.items.length === 0) return about(call, container, { status: 304, ...answer })
  const documents = page.items.map(({ document, lsn }) => ({ ...document, _lsn: lsn }))
  return about(call, container, {
    status: 200,
    charge: answer.charge,
    headers: { ...answer.headers, 'x-ms-item-count': String(documents.length) },
    body: { _rid: container.rid, Documents: documents, _count: documents.length },
  })
}

/** Which partitions a request is about: those of a key or prefix, those of a hash range, or all. */
function coverage({ request }: Call, container: Container): (partition: Partition) => boolean {
  const header = request.headers['x-ms-documentdb-partitionkey']
  if (header !== undefined) {
    const key = parseKey(header)
    return (partition) => isPrefixOf(key, partition.key)
  }
  const [from, to] = [request.headers['x-ms-start-epk'], request.headers['x-ms-end-epk']]
  if (from === undefined || to === undefined || (from === '' && to === 'FF')) return () => true
  return (partition) => {
    const hash = effectiveKey(partition.key, container.definition.partitionKey)
    return hash >= from && hash < to
  }
}

function sinceOf(header: string | undefined): number {
  if (header === undefined) return 0
  const since = Date.parse(header)
  if (Number.isNaN(since)) throw badRequest(`if-modified-since ${header} is no date.`)
  return since
}

function pageSize(header: string | undefined): number {
  if (header === undefined) return DEFAULT_PAGE
  const count = Number(header)
  if (!Number.isInteger(count) || count < -1) {
    throw badRequest(`x-ms-max-item-count ${header} is no count.`)
  }
  return count > 0 ? count : DEFAULT_PAGE
}

function pageAnswer(
  call: Call,
  container: Container,
  given: Pick<PageRequest, 'text' | 'parameters'>,
): Answer {
  const { headers } = call.request
  const { compiled, shape } = prepare(given.text)
  checkOrder(compiled.orderBy, container.indexing)
  const keyHeader = headers['x-ms-documentdb-partitionkey']
  const page = readPage({
    ...given,
    container,
    shape,
    query: compiled,
    key: keyHeader === undefined ? undefined : parseKey(keyHeader),
    maxRows: pageSize(headers['x-ms-max-item-count']),
    continuation: headers['x-ms-continuation'],
    nowMs: call.nowMs,
  })
  return about(call, container, {
    status: 200,
    charge: queryCharge(page.work),
    body: `{"_rid":"${container.rid}","Documents":[${page.rows.join(',')}],"_count":${page.rows.length}}`,
    headers: {
      'x-ms-item-count': String(page.rows.length),
      ...(page.continuation === undefined ? {} : { 'x-ms-continuation': page.continuation }),
      ...(isTrue(headers['x-ms-documentdb-populatequerymetrics']) ? metrics(page) : {}),
    },
  })
}

/** The counts are real; there is nothing to say about times. */
function metrics({ rows, work }: Page): Record<string, string> {
  const retrieved = work.lookedUp + work.scanned
  return {
    'x-ms-documentdb-query-metrics': [
      'totalExecutionTimeInMs=0.00',
      'queryCompileTimeInMs=0.00',
      'queryLogicalPlanBuildTimeInMs=0.00',
      'queryPhysicalPlanBuildTimeInMs=0.00',
      'queryOptimizationTimeInMs=0.00',
      'VMExecutionTimeInMs=0.00',
      'indexLookupTimeInMs=0.00',
      'instructionCount=0',
      'documentLoadTimeInMs=0.00',
      'systemFunctionExecuteTimeInMs=0.00',
      'userFunctionExecuteTimeInMs=0.00',
      `retrievedDocumentCount=${retrieved}`,
      `retrievedDocumentSize=${work.returnedBytes}`,
      `outputDocumentCount=${rows.length}`,
      `outputDocumentSize=${work.returnedBytes}`,
      'writeOutputTimeInMs=0.00',
      'indexUtilizationRatio=1.00',
    ].join(';'),
  }
}
