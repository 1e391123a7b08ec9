import { z } from 'zod'

/** ServiceNow sends every value as a text, or a number where a script built the body by hand. */
const value = z.union([z.string(), z.number().transform(String)])
/** A reference may arrive as its sys_id or as `{ value, link }`. */
const reference = z.union([value, z.object({ value }).transform(({ value: id }) => id)])

/** What the business rule on an instance posts when a record changes. */
export const serviceNowEventShape = z.object({
  /** The same in every attempt to deliver one change. In the body, so that it is signed. */
  event_id: z.string().min(1).max(200).optional(),
  event_type: z.string().min(1).max(200),
  table: z.string().min(1).max(80),
  operation: z.enum(['insert', 'update', 'delete']),
  record: z.looseObject({
    sys_id: z.string().min(1).max(64),
    number: value.optional(),
    assigned_to: reference.nullish(),
    approver: reference.nullish(),
    state: value.nullish(),
    priority: value.nullish(),
    short_description: value.nullish(),
  }),
  user: z.object({ sys_id: z.string().optional(), name: z.string().optional() }).optional(),
  timestamp: z.string().max(64),
})
export type ServiceNowEvent = z.infer<typeof serviceNowEventShape>
