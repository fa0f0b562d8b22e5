/** Light or dark as drawn: canvases are drawn anew when it changes. */
import { createStore } from './store'
import { darkNow } from './theme'

export const themeNow = createStore<'light' | 'dark'>(darkNow() ? 'dark' : 'light')

function look(): void {
  themeNow.set(darkNow() ? 'dark' : 'light')
}

new MutationObserver(look).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', look)
