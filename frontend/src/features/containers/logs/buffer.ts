/** Log lines outside React: a ring of 200,000, told to the page at most once a frame. */
import { plain } from '@/lib/ansi'

export type Stream = 'o' | 'e'

export interface Line {
  n: number
  at: string
  stream: Stream | 'mark'
  text: string
  tone?: 'bad' | 'warn'
}

export type LogLine = Omit<Line, 'n'>

const MOST = 200_000
/** The oldest leave in blocks: moving the array for every line would cost more than the lines. */
const BLOCK = 2_000

export class LogBuffer {
  lines: Line[] = []
  /** Lines that have left the ring. */
  dropped = 0
  /** Lines that were put before those that came. */
  prepended = 0
  private next = 1
  private version = 0
  private frame: number | undefined
  private listeners = new Set<() => void>()

  constructor(private readonly most = MOST) {}

  push(lines: LogLine[]): void {
    for (const line of lines) {
      this.lines.push({ ...line, n: this.next })
      this.next += 1
    }
    const over = this.lines.length - this.most
    if (over > 0) {
      const leave = Math.max(over, Math.min(BLOCK, Math.ceil(this.most / 10)))
      this.lines = this.lines.slice(leave)
      this.dropped += leave
    }
    this.announce()
  }

  /** The oldest line that came, and how many lines are here: what older ones are asked by. Undefined when none may be added. */
  oldest(): { at: string; loaded: number } | undefined {
    const real = this.lines.filter((line) => line.stream !== 'mark')
    const at = real[0]?.at
    return at && this.dropped === 0 && this.lines.length < this.most ? { at, loaded: real.length } : undefined
  }

  /**
   * Put lines of the store before the first one, without a gap or a repeat.
   * `stored` ends with the lines of exactly the first line's time, of which some are here already. How many were new.
   */
  prepend(stored: LogLine[]): number {
    const at = this.oldest()?.at
    if (!at) return 0
    const real = this.lines.filter((line) => line.stream !== 'mark')
    const other = real.findIndex((line) => line.at !== at)
    const here = other === -1 ? real.length : other
    const keep = stored.length - Math.min(here, stored.filter((line) => line.at === at).length)
    const older = stored.slice(0, keep)
    const first = this.lines[0]?.n ?? 1
    this.lines = [...older.map((line, n) => ({ ...line, n: first - keep + n })), ...this.lines]
    this.prepended += keep
    this.announce()
    return keep
  }

  clear(): void {
    this.lines = []
    this.announce()
  }

  /** How many lines ever came. */
  get total(): number {
    return this.next - 1
  }

  private announce(): void {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined
      this.version += 1
      for (const listener of this.listeners) listener()
    })
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): number => this.version

  /** Where to go on after a cut: the last time, and how many lines of exactly that time were seen. */
  resume(): string | undefined {
    const real = this.lines.filter((line) => line.stream !== 'mark' && line.at)
    const last = real.at(-1)
    if (!last) return undefined
    let same = 0
    for (let n = real.length - 1; n >= 0 && real[n]?.at === last.at; n -= 1) same += 1
    return `${last.at}~${String(same)}`
  }
}

/** Indices of the lines that contain the words, whatever their case. */
export function findLines(lines: Line[], words: string): number[] {
  const wanted = words.toLowerCase()
  if (!wanted) return []
  const found: number[] = []
  lines.forEach((line, at) => {
    if (line.stream !== 'mark' && plain(line.text).toLowerCase().includes(wanted)) found.push(at)
  })
  return found
}
