import '@xterm/xterm/css/xterm.css'

import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { forwardRef, useEffect, useImperativeHandle, useRef } from 'react'

import { useStore } from '@/lib/store'
import { themeNow } from '@/lib/themeNow'

export interface ScreenHandle {
  write: (bytes: Uint8Array | string) => void
  clear: () => void
  focus: () => void
  size: () => { cols: number; rows: number }
}

interface Props {
  onData: (text: string) => void
  onResize: (cols: number, rows: number) => void
  onReady: () => void
}

const DEBOUNCE = 50
const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** xterm in our colours. It asks nobody for the clipboard: OSC 52 is not handled at all. */
export const Screen = forwardRef<ScreenHandle, Props>(function Screen({ onData, onResize, onReady }, ref) {
  const box = useRef<HTMLDivElement>(null)
  const terminal = useRef<Terminal | null>(null)
  const theme = useStore(themeNow)
  const calls = useRef({ onData, onResize, onReady })
  calls.current = { onData, onResize, onReady }

  useEffect(() => {
    const element = box.current
    if (!element) return undefined
    const term = new Terminal({ fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace', fontSize: 13, cursorBlink: false, scrollback: 5000, allowProposedApi: false, theme: colors() })
    const fit = new FitAddon()
    term.loadAddon(fit)
    term.open(element)
    terminal.current = term
    fit.fit()
    term.onData((text) => { calls.current.onData(text); })
    term.onResize(({ cols, rows }) => { calls.current.onResize(cols, rows); })
    term.attachCustomKeyEventHandler((event) => copyOrPaste(event, term))
    let timer: ReturnType<typeof setTimeout> | undefined
    const observer = new ResizeObserver(() => {
      clearTimeout(timer)
      timer = setTimeout(() => { fit.fit(); }, DEBOUNCE)
    })
    observer.observe(element)
    calls.current.onReady()
    return () => {
      clearTimeout(timer)
      observer.disconnect()
      term.dispose()
      terminal.current = null
    }
  }, [])

  useEffect(() => {
    if (terminal.current) terminal.current.options.theme = colors()
  }, [theme])

  useImperativeHandle(ref, () => ({
    write: (bytes) => terminal.current?.write(bytes),
    clear: () => terminal.current?.reset(),
    focus: () => terminal.current?.focus(),
    size: () => ({ cols: terminal.current?.cols ?? 80, rows: terminal.current?.rows ?? 24 }),
  }))
  return <div ref={box} className="term" data-testid="terminal" />
})

function copyOrPaste(event: KeyboardEvent, term: Terminal): boolean {
  if (event.type !== 'keydown') return true
  if (event.ctrlKey && event.altKey && event.key.toLowerCase() === 'm') {
    document.querySelector<HTMLElement>('#main')?.focus()
    return false
  }
  if (!event.ctrlKey || !event.shiftKey) return true
  if (event.key === 'C' && term.hasSelection()) {
    void navigator.clipboard.writeText(term.getSelection())
    event.preventDefault()
    return false
  }
  // The browser pastes; xterm brackets it.
  return event.key !== 'V'
}

function colors(): Record<string, string> {
  return {
    background: token('--ls-page'),
    foreground: token('--ls-text'),
    cursor: token('--ls-text'),
    cursorAccent: token('--ls-page'),
    selectionBackground: token('--ls-pressed'),
    black: token('--ls-muted'),
    red: token('--ls-bad'),
    green: token('--ls-ok'),
    yellow: token('--ls-warn'),
    blue: token('--ls-accent'),
    magenta: token('--ls-special'),
    cyan: token('--ls-series-6'),
    white: token('--ls-text'),
    brightBlack: token('--ls-muted'),
    brightRed: token('--ls-bad'),
    brightGreen: token('--ls-ok'),
    brightYellow: token('--ls-warn'),
    brightBlue: token('--ls-accent'),
    brightMagenta: token('--ls-special'),
    brightCyan: token('--ls-series-6'),
    brightWhite: token('--ls-text'),
  }
}
