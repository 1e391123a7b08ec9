/** A compiled ASP.NET route template. */
export interface RouteTemplate {
  readonly template: string
  /** Smaller wins: one digit a segment, compared from the left (ASP.NET Core, RoutePrecedence inbound). */
  readonly precedence: string
  /** Parameters by name (undefined: optional and absent), or undefined when the path is another. */
  readonly match: (segments: readonly string[]) => Params | undefined
}
export type Params = Readonly<Record<string, string>>

interface Segment {
  readonly digit: string
  readonly literal?: string
  readonly before: string
  readonly after: string
  readonly parameter?: Parameter
}
interface Parameter {
  readonly name: string
  readonly catchAll: boolean
  readonly optional: boolean
  readonly fallback: string | undefined
  readonly accepts: (value: string) => boolean
}

const integer = (value: string): boolean => /^[+-]?\d+$/.test(value)
const within = (value: string, bits: bigint): boolean =>
  integer(value) &&
  BigInt.asIntN(Number(bits), BigInt(value.replace('+', ''))) === BigInt(value.replace('+', ''))
const numeric = (value: string): boolean => /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)

/** Constraints by name; the argument is the text in parentheses. */
const CONSTRAINTS: Readonly<Record<string, (argument: string) => (value: string) => boolean>> = {
  int: () => (value) => within(value, 32n),
  long: () => (value) => within(value, 64n),
  float: () => numeric,
  double: () => numeric,
  decimal: () => (value) => /^[+-]?\d+(\.\d+)?$/.test(value),
  bool: () => (value) => /^(true|false)$/i.test(value),
  alpha: () => (value) => /^[a-z]*$/i.test(value),
  guid: () => (value) => /^(\{)?[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}(\})?$/i.test(value),
  datetime: () => (value) => !Number.isNaN(Date.parse(value)),
  required: () => (value) => value !== '',
  length: (argument) => {
    const [least = 0, most = least] = argument.split(',').map(Number)
    return (value) => value.length >= least && value.length <= most
  },
  minlength: (argument) => (value) => value.length >= Number(argument),
  maxlength: (argument) => (value) => value.length <= Number(argument),
  min: (argument) => (value) => integer(value) && Number(value) >= Number(argument),
  max: (argument) => (value) => integer(value) && Number(value) <= Number(argument),
  range: (argument) => {
    const [least = 0, most = least] = argument.split(',').map(Number)
    return (value) => integer(value) && Number(value) >= least && Number(value) <= most
  },
  regex: (argument) => {
    const pattern = new RegExp(argument.replaceAll('{{', '{').replaceAll('}}', '}'), 'i')
    return (value) => pattern.test(value)
  },
}

/** Compiles `webhooks/{id:int}/{*path}`. Throws for a template that ASP.NET or this host refuses. */
export function compileRoute(template: string): RouteTemplate {
  const segments = splitSegments(template).map((text) => readSegment(text, template))
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1
    if (segment.parameter?.catchAll && !last)
      throw new Error(`route "${template}": a catch-all comes last`)
    if (segment.parameter?.optional && !last && !segments[index + 1]?.parameter?.optional) {
      throw new Error(`route "${template}": an optional parameter comes last`)
    }
  })
  const names = segments.flatMap(({ parameter }) => parameter?.name.toLowerCase() ?? [])
  if (new Set(names).size < names.length)
    throw new Error(`route "${template}": a parameter name comes twice`)
  return {
    template,
    precedence: segments.map(({ digit }) => digit).join(''),
    match: (path) => matchSegments(segments, path),
  }
}

/** The decoded segments of a raw path. `%2F` stays as it is, as in Kestrel; so does what cannot be decoded. */
export function pathSegments(rawPath: string): readonly string[] {
  return rawPath.replace(/^\//, '').replace(/\/$/, '').split('/').map(decodeSegment)
}

function decodeSegment(raw: string): string {
  try {
    return raw
      .split(/(%2f)/i)
      .map((part, index) => (index % 2 ? part : decodeURIComponent(part)))
      .join('')
  } catch {
    return raw
  }
}

/** Splits at slashes outside braces: a regex constraint may hold one. */
function splitSegments(template: string): readonly string[] {
  if (template === '') return []
  const segments = ['']
  let depth = 0
  for (const character of template) {
    if (character === '{') depth += 1
    if (character === '}') depth -= 1
    if (character === '/' && depth === 0) segments.push('')
    else segments[segments.length - 1] += character
  }
  if (depth !== 0) throw new Error(`route "${template}": braces do not match`)
  if (segments.includes('')) throw new Error(`route "${template}": an empty segment`)
  return segments
}

function readSegment(text: string, template: string): Segment {
  const open = text.indexOf('{')
  if (open < 0) return { digit: '1', literal: text.toLowerCase(), before: '', after: '' }
  const shut = text.lastIndexOf('}')
  const before = text.slice(0, open)
  const after = text.slice(shut + 1)
  const inside = text.slice(open + 1, shut)
  if (/\}[^{}]*\{/.test(inside.replaceAll(/\{\{|\}\}/g, ''))) {
    throw new Error(`route "${template}": one parameter a segment is all this host reads`)
  }
  const parameter = readParameter(inside, template)
  const constrained = inside.includes(':')
  const kind = before || after ? '2' : constrained ? '3' : '4'
  return {
    digit: parameter.catchAll ? (constrained ? '5' : '6') : kind,
    before: before.toLowerCase(),
    after: after.toLowerCase(),
    parameter,
  }
}

const PARAMETER = /^(\*{0,2})([^:=?*{}]+)((?::[^:()=?]+(?:\((?:.*)\))?)*)(?:=([^?]*))?(\?)?$/

function readParameter(text: string, template: string): Parameter {
  const match = PARAMETER.exec(text)
  if (!match) throw new Error(`route "${template}": cannot read the parameter {${text}}`)
  const [, stars = '', name = '', constraints = '', fallback, optional] = match
  const checks = [...constraints.matchAll(/:([^:()]+)(?:\((.*?)\)(?=:|$))?/g)].map(
    ([, kind = '', argument = '']) => {
      const make = CONSTRAINTS[kind.toLowerCase()]
      if (!make) throw new Error(`route "${template}": no constraint is called ${kind}`)
      return make(argument)
    },
  )
  return {
    name,
    fallback,
    catchAll: stars !== '',
    optional: optional !== undefined,
    accepts: (value) => checks.every((check) => check(value)),
  }
}

function matchSegments(segments: readonly Segment[], given: readonly string[]): Params | undefined {
  const path = given.length === 1 && given[0] === '' ? [] : given
  const params: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    const { parameter } = segment
    const text = parameter?.catchAll ? path.slice(index).join('/') : path[index]
    if (!parameter) {
      if (text?.toLowerCase() !== segment.literal) return undefined
      continue
    }
    const value = cut(segment, text) ?? parameter.fallback
    if (value === undefined || (value === '' && !parameter.catchAll)) {
      if (!parameter.optional) return undefined
      continue
    }
    if (!(parameter.catchAll && value === '') && !parameter.accepts(value)) return undefined
    if (value !== '') params[parameter.name] = value
  }
  const open = segments.at(-1)?.parameter?.catchAll === true
  return open || path.length <= segments.length ? params : undefined
}

function cut({ before, after }: Segment, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const lower = text.toLowerCase()
  if (!lower.startsWith(before) || !lower.endsWith(after)) return undefined
  const value = text.slice(before.length, text.length - after.length)
  return value === '' && (before || after) ? undefined : value
}
