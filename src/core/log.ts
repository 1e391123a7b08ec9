export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** One line for people, one number for dashboards. Neither ever carries a secret, a token or a record's body. */
export interface Log {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A custom metric under exactly this name. */
  metric(name: string, value: number, fields?: LogFields): void
}

/** The same log with fields that every line shall carry. */
export function withFields(log: Log, shared: LogFields): Log {
  return {
    info: (message, fields) => log.info(message, { ...shared, ...fields }),
    warn: (message, fields) => log.warn(message, { ...shared, ...fields }),
    error: (message, fields) => log.error(message, { ...shared, ...fields }),
    metric: (name, value, fields) => log.metric(name, value, { ...shared, ...fields }),
  }
}

export const silentLog: Log = { info() {}, warn() {}, error() {}, metric() {} }
