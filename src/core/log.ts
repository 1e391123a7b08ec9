export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** One line for people, one number for dashboards. Neither ever carries a secret, a token or a record's body. */
export interface Log {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A custom metric under exactly this name. */
  metric(name: string, value: number, fields?: LogFields): void
}
