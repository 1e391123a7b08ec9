import { z } from 'zod'

const lineShape = z.object({
  time: z.string(),
  level: z.string(),
  functionName: z.string().optional(),
  message: z.string(),
})
const messageShape = z.looseObject({
  message: z.string(),
  function: z.string().default('host'),
  metric: z.string().optional(),
})

/** What the terminal shows of a log line of the functions host; undefined for what only dashboards want. */
export function hostLine(line: string): string | undefined {
  const entry = lineShape.safeParse(parseJson(line)).data
  if (!entry) return line
  const own = messageShape.safeParse(parseJson(entry.message)).data
  const loud = entry.level !== 'information' && entry.level !== 'info'
  if (own?.metric !== undefined) return undefined
  if (!own)
    return loud
      ? `${clockOf(entry.time)} ${entry.functionName ?? 'host'} ${entry.level} ${entry.message}`
      : undefined
  const { message, function: name, ...fields } = own
  if (message === 'scheduled' && fields['queued'] === 0) return undefined
  const details = Object.entries(fields)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${key}=${String(value)}`)
  return [clockOf(entry.time), name, loud ? entry.level : '', message, ...details]
    .filter((part) => part !== '')
    .join(' ')
}

/** Ids that help in Application Insights and only widen a line here. */
const hidden = new Set(['taskId', 'tenantId', 'correlationId', 'slice', 'deliveryId'])

function clockOf(time: string): string {
  return time.slice(11, 19)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
