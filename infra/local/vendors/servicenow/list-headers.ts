export interface PageHeaders {
  readonly url: URL
  readonly offset: number
  readonly limit: number
  readonly total: number | undefined
  readonly hasMore: boolean
  readonly suppressesLinks: boolean
}

/**
 * `X-Total-Count` and `Link` of a list (facts A2, response headers). `prev` is −1 on the first page, as in the vendor's
 * own sample; `last` needs the count.
 */
export function pageHeaders(page: PageHeaders): Record<string, string> {
  const { offset, limit, total } = page
  const count: Record<string, string> = total === undefined ? {} : { 'X-Total-Count': `${total}` }
  if (page.suppressesLinks) return count
  const relations: [string, number][] = [
    ['first', 0],
    ['prev', Math.max(offset - limit, -1)],
  ]
  if (page.hasMore) relations.push(['next', offset + limit])
  if (total !== undefined)
    relations.push(['last', total === 0 ? 0 : Math.floor((total - 1) / limit) * limit])
  const links = relations.map(([name, at]) => `<${atOffset(page.url, at)}>;rel="${name}"`)
  return { ...count, Link: links.join(',') }
}

function atOffset(url: URL, offset: number): string {
  const target = new URL(url)
  target.searchParams.set('sysparm_offset', String(offset))
  return target.href
}
