/** The chosen theme lives in a cookie, so that the server writes it into <html> and no page flashes. */
export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const COOKIE = 'longshore_theme'
const YEAR = 31_536_000

export function currentTheme(): Theme {
  const found = new RegExp(`(?:^|; )${COOKIE}=(\\w+)`).exec(document.cookie)?.[1]
  return THEMES.find((theme) => theme === found) ?? 'system'
}

export function chooseTheme(theme: Theme): void {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${COOKIE}=${theme}; Path=/; Max-Age=${String(YEAR)}; SameSite=Lax${secure}`
  applyTheme(theme)
}

export function applyTheme(theme: Theme = currentTheme()): void {
  document.documentElement.dataset.theme = theme
}

/** Light or dark as drawn now: what a canvas has to know. */
export function darkNow(): boolean {
  const theme = document.documentElement.dataset.theme
  return theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
}
