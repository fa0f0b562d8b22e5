import { defineConfig } from '@lingui/cli'
import { formatter } from '@lingui/format-po'

export default defineConfig({
  sourceLocale: 'en',
  locales: ['en'],
  catalogs: [{ path: 'src/locales/{locale}', include: ['src'], exclude: ['src/testing/**', '**/*.test.*'] }],
  // No line numbers: a moved line must not change the catalogue.
  format: formatter({ lineNumbers: false, origins: false }),
})
