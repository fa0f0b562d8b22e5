/** The words of a URL's query equal the API's: repeated names are lists, everything else is text. */
export type Search = Record<string, string | string[] | undefined>

export function parseSearch(text: string): Search {
  const found: Record<string, string | string[]> = {}
  for (const [name, value] of new URLSearchParams(text)) {
    const before = found[name]
    found[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return found
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === '') continue
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) params.append(name, String(item as string))
  }
  const text = params.toString()
  return text && `?${text}`
}

export function many(value: string | string[] | undefined): string[] {
  if (value === undefined || value === '') return []
  return Array.isArray(value) ? value : [value]
}

export const one = (value: string | string[] | undefined): string => many(value)[0] ?? ''
