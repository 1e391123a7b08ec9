const VERSION = 'v60.0'
export const ROOT = `/services/data/${VERSION}`
