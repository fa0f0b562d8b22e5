/** Mantine's theme: our tokens under its names. Both colour schemes come from the tokens, so Mantine needs no scheme of its own. */
import { type CSSVariablesResolver, createTheme, type MantineColorsTuple, Menu, Popover, Tooltip } from '@mantine/core'

const tuple = (light: string, dark: string): MantineColorsTuple => [
  dark, dark, dark, dark, dark, light, light, light, light, light,
]

export const theme = createTheme({
  fontFamily: 'var(--ls-sans)',
  fontFamilyMonospace: 'var(--ls-mono)',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  lineHeights: { xs: '1.3333', sm: '1.5385', md: '1.4286', lg: '1.5', xl: '1.4' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { sm: '4px', md: '8px' },
  defaultRadius: 'sm',
  breakpoints: { xs: '40em', sm: '64em', md: '77.5em', lg: '87.5em', xl: '100em' },
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 4 },
  colors: {
    accent: tuple('#0a5fd0', '#6aa8ff'),
    bad: tuple('#c21d1d', '#ff7b72'),
  },
  autoContrast: true,
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusRing: 'auto',
  components: {
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, transitionProps: { duration: 0 } } }),
    // The placeholder that takes the first focus is no item of a menu; without it the first item has the focus at once.
    Menu: Menu.extend({ defaultProps: { shadow: 'md', transitionProps: { duration: 0 }, position: 'bottom-end', withinPortal: true, withInitialFocusPlaceholder: false } }),
    Popover: Popover.extend({ defaultProps: { shadow: 'md', transitionProps: { duration: 0 }, withinPortal: true } }),
  },
})

const alias = {
  '--mantine-color-body': 'var(--ls-page)',
  '--mantine-color-text': 'var(--ls-text)',
  '--mantine-color-bright': 'var(--ls-text)',
  '--mantine-color-dimmed': 'var(--ls-muted)',
  '--mantine-color-placeholder': 'var(--ls-muted)',
  '--mantine-color-default': 'var(--ls-page)',
  '--mantine-color-default-hover': 'var(--ls-hover)',
  '--mantine-color-default-color': 'var(--ls-text)',
  '--mantine-color-default-border': 'var(--ls-line-strong)',
  '--mantine-color-anchor': 'var(--ls-accent)',
  '--mantine-color-error': 'var(--ls-bad)',
  '--mantine-color-accent-filled': 'var(--ls-accent)',
  '--mantine-primary-color-filled': 'var(--ls-accent)',
  '--mantine-shadow-md': 'var(--ls-shadow)',
}

export const resolver: CSSVariablesResolver = () => ({ variables: {}, light: alias, dark: alias })
