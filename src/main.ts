import { app as host } from '@azure/functions'
import manifest from '../package.json' with { type: 'json' }
import { createApp } from './app.ts'
import { registerFunctions } from './functions/index.ts'
import { invocationLog } from './functions/observe.ts'
import { readSettings } from './settings.ts'

const app = createApp({
  settings: readSettings(process.env),
  log: invocationLog,
  version: manifest.version,
})
registerFunctions(host, app)
host.hook.appTerminate(async () => {
  await app[Symbol.asyncDispose]()
})
