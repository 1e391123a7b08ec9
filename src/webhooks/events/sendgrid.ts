import { each, notice, textAt, unknownEvent, type Reader } from './meaning.ts'

/** What became of mails: engagement, nothing that is read again. */
export const sendgrid: Reader = {
  headers: [],
  toEvents: (_headers, body) =>
    each(Array.isArray(body) ? body : [body], (element) => {
      const event = textAt(element, 'event')
      return event === undefined ? unknownEvent(undefined) : notice(`email.${event}`)
    }),
}
