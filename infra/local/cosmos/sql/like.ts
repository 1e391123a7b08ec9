/** Whether a text matches one LIKE pattern. */
export type Like = (text: string) => boolean

type Element = 'any' | ((character: string) => boolean)

/**
 * Compiles a LIKE pattern: `%` any text, `_` one character, `[a-z]` one of a set, `[^a-z]` one outside it; the escape
 * sign takes the meaning from the character after it. Matching takes at most text times pattern steps.
 */
export function likePattern(pattern: string, escape: string): Like {
  const elements = parsePattern(characters(pattern), escape)
  return (text) => matches(elements, characters(text))
}

/** By code points, so that `_` takes one emoji and not half of it. */
function characters(text: string): string[] {
  return Array.from(text)
}

function parsePattern(signs: readonly string[], escape: string): Element[] {
  const elements: Element[] = []
  let index = 0
  while (index < signs.length) {
    const { element, next } = parseElement(signs, index, escape)
    elements.push(element)
    index = next
  }
  return elements
}

function parseElement(
  signs: readonly string[],
  index: number,
  escape: string,
): { element: Element; next: number } {
  const sign = signs[index] ?? ''
  const escaped = signs[index + 1]
  if (escape !== '' && sign === escape && escaped !== undefined) {
    return { element: (character) => character === escaped, next: index + 2 }
  }
  if (sign === '%') return { element: 'any', next: index + 1 }
  if (sign === '_') return { element: () => true, next: index + 1 }
  const close = sign === '[' ? signs.indexOf(']', index + 2) : -1
  if (close === -1) return { element: (character) => character === sign, next: index + 1 }
  return { element: parseSet(signs.slice(index + 1, close)), next: close + 1 }
}

function parseSet(signs: readonly string[]): Element {
  const negated = signs[0] === '^' && signs.length > 1
  const members = negated ? signs.slice(1) : signs
  const ranges: { readonly low: string; readonly high: string }[] = []
  for (let index = 0; index < members.length; index += 1) {
    const low = members[index] ?? ''
    const high = members[index + 1] === '-' ? members[index + 2] : undefined
    ranges.push({ low, high: high ?? low })
    if (high !== undefined) index += 2
  }
  return (character) =>
    ranges.some(({ low, high }) => character >= low && character <= high) !== negated
}

/** Goes back only to the last `%`: an earlier one never needs to take more. */
function matches(elements: readonly Element[], text: readonly string[]): boolean {
  let at = 0
  let element = 0
  let retry: { element: number; at: number } | undefined
  while (at < text.length) {
    const wanted = elements[element]
    if (wanted === 'any') {
      retry = { element, at }
      element += 1
    } else if (wanted?.(text[at] ?? '') === true) {
      element += 1
      at += 1
    } else if (retry === undefined) {
      return false
    } else {
      retry.at += 1
      at = retry.at
      element = retry.element + 1
    }
  }
  return elements.slice(element).every((rest) => rest === 'any')
}
