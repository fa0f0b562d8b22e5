import { describe, expect, test } from 'vitest'

import { parseAnsi, plain } from './ansi'

const text = (line: string): string => parseAnsi(line).map((span) => span.text).join('')

describe('colours', () => {
  test('a coloured word is one span', () => {
    expect(parseAnsi('a \u001b[31mred\u001b[0m b')).toEqual([{ text: 'a ' }, { text: 'red', color: 'var(--ansi-red)' }, { text: ' b' }])
  })
  test('palette and true colours', () => {
    expect(parseAnsi('\u001b[38;5;196mx')[0]?.color).toBe('rgb(255 0 0)')
    expect(parseAnsi('\u001b[1;38;2;1;2;300mx')[0]).toEqual({ text: 'x', bold: true, color: 'rgb(1 2 255)' })
  })
  test('one attribute ends, the others stay', () => {
    expect(parseAnsi('\u001b[1;31mx\u001b[22my')[1]).toEqual({ text: 'y', color: 'var(--ansi-red)' })
  })
})

describe('everything else is inert', () => {
  test.each([
    ['clear and home', '\u001b[2J\u001b[Hhere', 'here'],
    ['title', '\u001b]0;owned\u0007here', 'here'],
    ['clipboard', '\u001b]52;c;cm0gLXJm\u001b\\here', 'here'],
    ['link', '\u001b]8;;http://evil\u001b\\here\u001b]8;;\u001b\\', 'here'],
    ['string without an end', 'a\u001b]52;c;AAAA', 'a'],
    ['device control', '\u001bP1;2q junk\u001b\\here', 'here'],
    ['8-bit CSI', '\u009b31mhere', 'here'],
    ['half an escape', 'here\u001b[', 'here'],
    ['carriage return and bell', 'he\u0007re\r', 'here'],
    ['NUL shown', 'a\u0000b', 'a\uFFFDb'],
    ['markup is text', '</script><img src=x onerror=alert(1)>', '</script><img src=x onerror=alert(1)>'],
    ['tab kept', 'a\tb', 'a\tb'],
  ])('%s', (_name, line, shown) => {
    expect(text(line)).toBe(shown)
    expect(plain(line)).toBe(shown)
  })
})
