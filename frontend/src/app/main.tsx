// In a cascade layer: whatever we say about the same element wins, in any order of loading.
import '@mantine/core/styles/baseline.layer.css'
import '@mantine/core/styles/default-css-variables.layer.css'
import '@mantine/core/styles/global.layer.css'
import '@mantine/core/styles/UnstyledButton.layer.css'
import '@mantine/core/styles/CloseButton.layer.css'
import '@mantine/core/styles/Paper.layer.css'
import '@mantine/core/styles/Popover.layer.css'
import '@mantine/core/styles/ScrollArea.layer.css'
import '@mantine/core/styles/Overlay.layer.css'
import '@mantine/core/styles/ModalBase.layer.css'
import '@mantine/core/styles/Modal.layer.css'
import '@mantine/core/styles/Menu.layer.css'
import '@mantine/core/styles/Combobox.layer.css'
import '@mantine/core/styles/Tooltip.layer.css'
import './tokens.css'
import './base.css'

import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import sprite from '@/components/sprite.svg?raw'
import { connection } from '@/lib/connection'
import { applyTheme } from '@/lib/theme'

import { messages } from '../locales/en.po'
import { client, router } from './router'
import { resolver, theme } from './theme'

applyTheme()
i18n.loadAndActivate({ locale: 'en', messages })
document.body.insertAdjacentHTML('afterbegin', sprite)
// A part of the page that is not on the server any more: the server was updated. Say so, never reload by itself.
addEventListener('vite:preloadError', (event) => {
  event.preventDefault()
  connection.set((before) => ({ ...before, updated: true }))
})

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <I18nProvider i18n={i18n}>
      <MantineProvider theme={theme} cssVariablesResolver={resolver}>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>
  </StrictMode>,
)
