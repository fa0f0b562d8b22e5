import { i18n } from '@lingui/core'
import { vi } from 'vitest'

import { messages } from '../locales/en.po'

i18n.loadAndActivate({ locale: 'en', messages })

// What jsdom does not have.
vi.stubGlobal('matchMedia', (query: string) => ({ matches: false, media: query, addEventListener: () => undefined, removeEventListener: () => undefined, addListener: () => undefined, removeListener: () => undefined }))
vi.stubGlobal('ResizeObserver', class {
  observe = (): void => undefined
  unobserve = (): void => undefined
  disconnect = (): void => undefined
})
