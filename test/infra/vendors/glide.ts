import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createContext, Script } from 'node:vm'

/** What a script posted. */
export interface Posted {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An event that a script queued for later. */
interface QueuedEvent {
  readonly name: string
  readonly parm1: string
  readonly parm2: string
  readonly inSeconds: number
}

export interface Glide {
  readonly posted: Posted[]
  readonly queued: QueuedEvent[]
  readonly logged: string[]
  /** Statuses of the next answers; a text is thrown instead. Default 200. */
  readonly answers: (number | string)[]
  readonly properties: Record<string, string>
}

export interface ScriptInput {
  readonly table: string
  /** Nothing when the record is gone. */
  readonly record: Readonly<Record<string, string>> | undefined
  readonly operation?: string
  readonly displayValues?: Readonly<Record<string, string>>
  readonly event?: QueuedEvent
  readonly scope?: 'global' | 'scoped'
}

/** The MAC helper of the platform: base64 key in, base64 code out (facts A6). */
export function generateMac(key: string, algorithm: string, data: string): string {
  if (algorithm !== 'HmacSHA256') throw new Error(`no algorithm ${algorithm}`)
  return createHmac('sha256', Buffer.from(key, 'base64')).update(data).digest('base64')
}

export function createGlide(properties: Record<string, string>): Glide {
  return { posted: [], queued: [], logged: [], answers: [], properties }
}

/** Runs a server-side script with small stand-ins of the platform's classes, as Rhino would: globals only. */
export function runScript(file: string, glide: Glide, input: ScriptInput): void {
  const text = readFileSync(file, 'utf8')
  new Script(text, { filename: file }).runInContext(createContext(platform(glide, input)))
}

function platform(glide: Glide, { event, scope = 'scoped', ...input }: ScriptInput) {
  class Encryption {
    generateMac = generateMac
  }
  const base64Encode = (text: string) => Buffer.from(text).toString('base64')
  const perScope =
    scope === 'scoped'
      ? { CertificateEncryption: Encryption }
      : { GlideCertificateEncryption: Encryption, GlideStringUtil: { base64Encode } }
  return {
    ...perScope,
    current: createRecord(input),
    ...(event ? { event: { name: event.name, parm1: event.parm1, parm2: event.parm2 } } : {}),
    gs: createSystem(glide, scope === 'scoped' ? { base64Encode } : {}),
    sn_ws: { RESTMessageV2: createMessageClass(glide) },
    GlideDateTime: class {
      seconds = 0
      addSeconds(seconds: number) {
        this.seconds += seconds
      }
    },
  }
}

function createRecord({ table, record, operation, displayValues }: ScriptInput) {
  return {
    isValidRecord: () => record !== undefined,
    isValidField: (name: string) => record !== undefined && name in record,
    getTableName: () => table,
    // A GlideRecord answers null, not an empty text, for a field without a value.
    getValue: (name: string) => record?.[name] || null,
    getDisplayValue: (name: string) => displayValues?.[name] ?? '',
    operation: () => operation ?? null,
  }
}

function createSystem({ properties, logged, queued }: Glide, extra: object) {
  const log = (text: string) => logged.push(text)
  return {
    ...extra,
    getProperty: (name: string, fallback: string) => properties[name] ?? fallback,
    getUserID: () => '6816f79cc0a8016401c5a33be04be441',
    getUserDisplayName: () => 'System Administrator',
    info: log,
    warn: log,
    error: log,
    eventQueueScheduled: (...[name, , parm1, parm2, due]: EventArguments) => {
      if (parm1.length > 255 || parm2.length > 255)
        throw new Error('an event parameter is too long')
      queued.push({ name, parm1, parm2, inSeconds: due.seconds })
    },
  }
}

type EventArguments = [
  name: string,
  record: unknown,
  parm1: string,
  parm2: string,
  due: { readonly seconds: number },
]

function createMessageClass({ posted, answers }: Glide) {
  return class {
    url = ''
    method = ''
    headers: Record<string, string> = {}
    body = ''
    setEndpoint(url: string) {
      this.url = url
    }
    setHttpMethod(method: string) {
      this.method = method
    }
    setHttpTimeout(_ms: number) {}
    setRequestHeader(name: string, value: string) {
      this.headers[name.toLowerCase()] = value
    }
    setRequestBody(body: string) {
      this.body = body
    }
    execute() {
      const { url, method, headers, body } = this
      posted.push({ url, method, headers, body })
      const answer = answers.shift() ?? 200
      if (typeof answer === 'string') throw new Error(answer)
      return { getStatusCode: () => answer }
    }
  }
}
