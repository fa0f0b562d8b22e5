import { lingui } from '@lingui/vite-plugin'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

import { mockServer } from './src/testing/mock/plugin.ts'

const BACKEND = process.env.LONGSHORE_URL ?? 'http://127.0.0.1:8000'
const PROXIED = ['/api', '/ws', '/problems']

/** Built pages live behind Django and whitenoise: the index answers every page route, the assets are under /static/. */
export default defineConfig(({ mode }) => ({
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  plugins: [react(), lingui({ macroTransform: true }), mode === 'mock' && mockServer()],
  build: { target: 'es2023', assetsDir: 'static', chunkSizeWarningLimit: 400, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: {
    proxy:
      mode === 'mock'
        ? {}
        : Object.fromEntries(PROXIED.map((path) => [path, { target: BACKEND, ws: true, secure: false, changeOrigin: false }])),
  },
  test: { environment: 'jsdom', setupFiles: ['src/testing/setup.ts'], include: ['src/**/*.test.{ts,tsx}'], css: false, testTimeout: 30_000 },
}))
