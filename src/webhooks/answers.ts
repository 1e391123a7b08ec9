import type { Scheme } from './scheme.ts'

/** An HTTP answer as it goes out: never HTML. */
export interface Answer {
  readonly status: number
  readonly contentType?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Anything but this and Salesforce sends the whole batch again (Outbound Messaging, `notificationsResponse`). */
const SOAP_ACK =
  '<?xml version="1.0" encoding="UTF-8"?>' +
  '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>' +
  '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>' +
  '</notificationsResponse></soapenv:Body></soapenv:Envelope>'

const nosniff = { 'X-Content-Type-Options': 'nosniff' }

/** What a vendor wants to read after an accepted delivery; undefined where any 2xx will do. */
export function acknowledgement(scheme: Scheme): Answer | undefined {
  switch (scheme.acknowledgement) {
    case 'salesforce-soap':
      return { status: 200, contentType: 'text/xml; charset=utf-8', headers: {}, body: SOAP_ACK }
    case 'empty':
      return empty(200)
    case undefined:
      return undefined
  }
}

export function text(body: string): Answer {
  return { status: 200, contentType: 'text/plain; charset=utf-8', headers: nosniff, body }
}

export function json(value: object): Answer {
  const body = JSON.stringify(value)
  return { status: 200, contentType: 'application/json; charset=utf-8', headers: nosniff, body }
}

export function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: '' }
}
