/**
 * Colours of a log line, and nothing else of a terminal: every other escape is dropped, so a line can neither move
 * the cursor, nor set a title, nor reach the clipboard. The result is text; nothing of it becomes markup.
 */
export interface Span {
  text: string
  color?: string
  background?: string
  bold?: boolean
  faint?: boolean
  italic?: boolean
  underline?: boolean
}

type Style = Omit<Span, 'text'>

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']
/**
 * One escape or control character. CSI first, as only its `m` is read; then strings (OSC, DCS, SOS, PM, APC) to their
 * end or, unended, to the line's end; then two-byte escapes; then lone controls.
 */
const ESCAPES =
  // eslint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)([0-?]*)[ -/]*([@-~]?)|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c|$)|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g

export function parseAnsi(line: string): Span[] {
  const spans: Span[] = []
  let style: Style = {}
  let at = 0
  const put = (text: string): void => {
    if (text) spans.push({ text, ...style })
  }
  for (const found of line.matchAll(ESCAPES)) {
    put(line.slice(at, found.index))
    at = found.index + found[0].length
    if (found[2] === 'm') style = applySgr(style, found[1] ?? '')
    else if (found[0] === '\0') put('\uFFFD')
  }
  put(line.slice(at))
  return spans
}

/** The same line as plain text: what search and copying see. */
export const plain = (line: string): string => line.replace(ESCAPES, (found) => (found === '\0' ? '\uFFFD' : ''))

function applySgr(before: Style, parameters: string): Style {
  let style = { ...before }
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)))
  for (let n = 0; n < codes.length; n += 1) {
    const code = codes[n] ?? 0
    if (code === 0) style = {}
    else if (code === 1) style.bold = true
    else if (code === 2) style.faint = true
    else if (code === 3) style.italic = true
    else if (code === 4) style.underline = true
    else if (code === 22) style = without(style, 'bold', 'faint')
    else if (code === 23) style = without(style, 'italic')
    else if (code === 24) style = without(style, 'underline')
    else if (code === 39) style = without(style, 'color')
    else if (code === 49) style = without(style, 'background')
    else if (code >= 30 && code <= 37) style.color = named(code - 30)
    else if (code >= 90 && code <= 97) style.color = named(code - 90)
    else if (code >= 40 && code <= 47) style.background = named(code - 40)
    else if (code >= 100 && code <= 107) style.background = named(code - 100)
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(n + 1))
      if (color) style[code === 38 ? 'color' : 'background'] = color
      n += used
    }
  }
  return style
}

const without = (style: Style, ...names: (keyof Style)[]): Style => Object.fromEntries(Object.entries(style).filter(([name]) => !names.includes(name as keyof Style)))

const named = (index: number): string => `var(--ansi-${NAMES[index] ?? 'white'})`

function extended(codes: number[]): [string | undefined, number] {
  const byte = (value: number | undefined): number => Math.max(0, Math.min(255, value ?? 0))
  if (codes[0] === 2) return [`rgb(${[1, 2, 3].map((at) => byte(codes[at])).join(' ')})`, 4]
  if (codes[0] !== 5) return [undefined, 0]
  const index = byte(codes[1])
  if (index < 16) return [named(index % 8), 2]
  if (index > 231) return [`rgb(${Array(3).fill(grey(index)).join(' ')})`, 2]
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40)
  const cube = index - 16
  return [`rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level).join(' ')})`, 2]
}

const grey = (index: number): number => 8 + (index - 232) * 10
