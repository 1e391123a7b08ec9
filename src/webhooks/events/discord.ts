import { entryOf, notice, textAt, unknownEvent, type Reader } from './meaning.ts'

/** The kinds of interactions (Discord, Interaction Type). They want an answer, not a record. */
const kinds: Readonly<Record<string, string>> = {
  1: 'ping',
  2: 'application_command',
  3: 'message_component',
  4: 'application_command_autocomplete',
  5: 'modal_submit',
}

export const discord: Reader = {
  headers: [],
  toEvents: (_headers, body) => {
    const kind = entryOf(kinds, textAt(body, 'type') ?? '')
    return [kind === undefined ? unknownEvent(textAt(body, 'type')) : notice(`interaction.${kind}`)]
  },
}
