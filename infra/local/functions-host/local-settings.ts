import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const shape = z.object({
  IsEncrypted: z
    .literal(false, { error: 'encrypted settings cannot be read: func settings decrypt' })
    .optional(),
  Values: z.record(z.string(), z.string({ error: 'a value is a text' })).default({}),
  Host: z
    .object({
      LocalHttpPort: z.coerce.number().int().min(0).max(65_535).optional(),
      CORS: z.string().optional(),
    })
    .default({}),
})

export interface LocalSettings {
  readonly values: Readonly<Record<string, string>>
  readonly port: number | undefined
  /** Origins that browsers may call from; `*` is every one. */
  readonly cors: readonly string[]
}

/** Reads a local.settings.json of Azure Functions Core Tools. Throws one message with every problem, and no value. */
export async function readLocalSettings(file: string): Promise<LocalSettings> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`cannot read the settings file ${file}`, { cause })
  })
  const parsed = shape.safeParse(parseJson(file, text))
  if (!parsed.success) throw new Error(`${file} is wrong:\n${z.prettifyError(parsed.error)}`)
  const { Values, Host } = parsed.data
  const cors = (Host.CORS ?? '').split(',').map((origin) => origin.trim())
  return { values: Values, port: Host.LocalHttpPort, cors: cors.filter((origin) => origin !== '') }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words may quote the file, and so a secret.
    throw new Error(`${file} is not JSON`)
  }
}
