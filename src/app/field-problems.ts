import type { Discovered, ExternalField } from '../connectors/connector.ts'
import type { FieldMapping, Mapping } from '../sync/mapping.ts'

type Found = Extract<Discovered, { kind: 'fields' }>

/** What a mapping expects of the vendor's fields and does not find, a sentence each. */
export function problemsOf({ fields }: Mapping, found: Found): readonly string[] {
  const byName = new Map(found.fields.map((field) => [field.name, field]))
  const mapped = fields.flatMap((rule) => {
    const field = byName.get(rule.external)
    // Paths lead into other kinds of record, whose fields were not asked for; a sample shows no empty ones.
    if (field) return misfitOf(rule, field)
    const isSure = found.from === 'description' && !rule.external.includes('.')
    return isSure ? [`${rule.external} is not a field of ${found.object}`] : []
  })
  const written = new Set(
    fields.filter(({ readOnly }) => !readOnly).map(({ external }) => external),
  )
  const needed = found.fields.filter(({ name, required }) => required && !written.has(name))
  return [...mapped, ...needed.map(({ name }) => `${name} is required and not written`)]
}

/** Texts can hold anything, and choices are numbers to some. */
const free = new Set<FieldMapping['type']>(['text', 'list'])

function misfitOf(rule: FieldMapping, field: ExternalField): string[] {
  if (field.readOnly && !rule.readOnly) return [`${field.name} cannot be written`]
  const isTyped = field.type !== 'text' && !field.choices && !free.has(rule.type)
  const isSame = rule.type === field.type || (rule.type === 'integer' && field.type === 'number')
  if (!isTyped || isSame) return []
  return [`${field.name} is mapped as ${rule.type} and is ${field.type} (${field.vendorType})`]
}
