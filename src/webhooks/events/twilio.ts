import { eventOf, notice, textAt, unknownEvent, type Reader } from './meaning.ts'

const kinds = [
  ['message', 'MessageSid', 'MessageStatus'],
  ['message', 'SmsSid', 'SmsStatus'],
  ['recording', 'RecordingSid', 'RecordingStatus'],
  ['call', 'CallSid', 'CallStatus'],
  ['conference', 'ConferenceSid', 'StatusCallbackEvent'],
] as const

/** Forms with the id of a message or call and its status. */
export const twilio: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const kind = kinds.find(([, id]) => textAt(body, id) !== undefined)
    if (kind === undefined) {
      return [
        textAt(body, 'AccountSid') === undefined ? unknownEvent(undefined) : notice('account'),
      ]
    }
    const [entityType, id, status] = kind
    const word = textAt(body, status) ?? 'received'
    return [
      eventOf({
        eventType: `${entityType}.${word}`,
        entityType,
        externalId: textAt(body, id),
        operation: word === 'received' || word === 'ringing' ? 'create' : 'update',
        sourceVersion: textAt(body, 'SequenceNumber'),
        content: [id, textAt(body, id), word],
      }),
    ]
  },
}
