import js from '@eslint/js'
import jsxA11y from 'eslint-plugin-jsx-a11y'
import lingui from 'eslint-plugin-lingui'
import hooks from 'eslint-plugin-react-hooks'
import globals from 'globals'
import { readdirSync } from 'node:fs'
import ts from 'typescript-eslint'

const FEATURES = readdirSync(new URL('./src/features', import.meta.url))

/** Words that a person reads begin with a capital or contain a space; class names, keys and paths do not. */
const NOT_WORDS = [
  '^(Longshore|JSON|IPv4|Ctrl|Esc|Tab|docker [a-z ]+)$',
  // Docker's own names: Cmd, HostConfig, PortBindings; methods of HTTP; headers; signals.
  '^wget ',
  '^([A-Z]{2,}|NET_ADMIN|Idempotency-Key|X-CSRFToken|X-Request-ID|Content-Type|Accept|SIG[A-Z]+)$|^(application|text)/',
  '^[^A-Za-z]*$', '^[a-z0-9_./:#?&=%*,;()\\[\\]{}|^$+~@<>-]+([ -][a-z0-9_./:#?&=%*,;()\\[\\]{}|^$+~@<>-]+)*$']

/** Nobody reaches into another feature, and what is shared knows no feature. */
const borders = [
  ...FEATURES.map((name) => ({
    files: [`src/features/${name}/**/*.{ts,tsx}`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: FEATURES.filter((other) => other !== name).map((other) => `@/features/${other}/**`), message: 'Features never import each other.' },
            { group: ['@/app/**', '../../**'], message: 'A feature imports lib and components only.' },
          ],
        },
      ],
    },
  })),
  {
    files: ['src/lib/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['@/features/**', '@/app/**', '@/components/**'] }] },
  },
  {
    files: ['src/components/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['@/features/**', '@/app/**'] }] },
  },
]

export default ts.config(
  { ignores: ['dist', 'src/locales', 'src/lib/schema.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  { languageOptions: { globals: globals.node } },
  { plugins: { 'react-hooks': hooks }, rules: { 'react-hooks/rules-of-hooks': 'error', 'react-hooks/exhaustive-deps': 'error' } },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/testing/**', '**/*.test.*'],
    plugins: { lingui, 'jsx-a11y': jsxA11y },
    languageOptions: { globals: globals.browser, parserOptions: { ecmaFeatures: { jsx: true } } },
    rules: {
      ...jsxA11y.flatConfigs.strict.rules,
      'jsx-a11y/no-noninteractive-tabindex': ['error', { roles: ['log', 'region', 'tabpanel'], tags: ['pre'] }],
      'jsx-a11y/no-autofocus': 'off',
      'jsx-a11y/label-has-associated-control': ['error', { assert: 'either' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Text is text: no markup from data.' },
        { selector: 'JSXText[value=/[A-Za-z]{2}/][value!=/^\\s*(Longshore|JSON|IPv4|Ctrl|docker [a-z ]+)\\s*$/]:not(JSXElement[openingElement.name.name="Trans"] JSXText)', message: 'Words stand in <Trans> or t``.' },
      ],
      'lingui/t-call-in-function': 'error',
      'lingui/no-expression-in-message': 'off',
      'lingui/no-unlocalized-strings': [
        'error',
        {
          ignore: NOT_WORDS,
          ignoreNames: [
            'className', 'style', 'd', 'viewBox', 'key', 'role', 'type', 'href', 'to', 'id', 'htmlFor', 'path', 'keys', 'cli',
            'shortcuts', 'accept', 'aria-keyshortcuts', 'aria-live', 'autoComplete', 'field', 'docker', 'code', 'method', 'headers', 'placeholderText',
            { regex: { pattern: '^[A-Z0-9_]+$' } }, { regex: { pattern: '^data-' } },
          ],
          ignoreFunctions: ['*.getItem', '*.setItem', '*.get', '*.set', '*.has', '*.append', '*.split', '*.join', '*.includes', '*.addEventListener', '*.removeEventListener', 'Error', 'console.*', '*.startsWith', '*.endsWith', '*.replace', 'useMediaQuery', 'matchMedia', 'lazyRouteComponent', 'addEventListener', 'RegExp', 'parts.push', 'post', 'request', 'fetch', '*.querySelector', '*.closest', '*.matches', 'Symbol', '*.setAttribute', '*.toLocaleString', 'Intl.*'],
        },
      ],
    },
  },
  {
    // Words for machines: cookies, command lines, unit symbols, Docker's own names, keys of a terminal.
    files: ['src/lib/{theme,format}.ts', 'src/features/containers/create/{dockerRun,spec}.ts', 'src/features/containers/terminal/*', 'src/features/registry/RegistryPage.tsx', 'src/components/Page.tsx'],
    rules: { 'lingui/no-unlocalized-strings': 'off' },
  },
  ...borders,
)
