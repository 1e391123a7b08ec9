/** Who calls, as a verified token says. */
export interface Caller {
  readonly subject: string
  readonly tenantId: string
  readonly roles: readonly string[]
  /** The person's id in the business systems; the subject where the token names none. */
  readonly userId: string
}
