/** A command line as words, by the shell's quoting rules and nothing more: no variables, no globs. */
export function shellWords(line: string): { words: string[]; problem?: 'quote' } {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let n = 0; n < line.length; n += 1) {
    const char = line[n] ?? ''
    if (quote) {
      if (char === quote) quote = ''
      else if (char === '\\' && quote === '"' && '"\\$`'.includes(line[n + 1] ?? ' ')) {
        n += 1
        word = (word ?? '') + (line[n] ?? '')
      } else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (char === '\\') {
      n += 1
      word = (word ?? '') + (line[n] ?? '')
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  if (word !== undefined) words.push(word)
  return quote ? { words, problem: 'quote' } : { words }
}

/** A word as a shell would have to read it. */
export const quoted = (word: string): string => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
