import { createRequire } from 'node:module'

// The process that runs Azurite. The channel to the one that started it breaks however that one ends, also when it is
// killed, and then this one ends too.
process.once('disconnect', () => process.exit(0))
const require = createRequire(import.meta.url)
require('azurite/dist/src/azurite.js')
