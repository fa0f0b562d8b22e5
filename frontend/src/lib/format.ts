/** Numbers, sizes and times as the pages write them. */
import { t } from '@lingui/core/macro'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** IEC with three digits: 1.21 GiB, 96.0 MiB, 412 MiB. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  let size = Math.abs(value)
  let unit = 0
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1024
    unit += 1
  }
  const digits = unit === 0 ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : 2
  return `${value < 0 ? '-' : ''}${size.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

export const rate = (value: number | null | undefined): string => (value == null ? '–' : `${bytes(value)}/s`)
export const percent = (value: number | null | undefined, digits = 1): string => (value == null ? '–' : `${value.toFixed(digits)} %`)
export const count = (value: number): string => new Intl.NumberFormat('en').format(value)

/** 2 h 04 min, 31 min, 12 s, 1 d 02 h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || Number.isNaN(seconds)) return '–'
  const whole = Math.max(0, Math.floor(seconds))
  const two = (value: number): string => String(value).padStart(2, '0')
  if (whole < 10 && whole !== seconds && seconds > 0) return `${seconds.toFixed(1)} s`
  if (whole < 60) return `${String(whole)} s`
  if (whole < 3600) return whole < 600 && whole % 60 ? `${String(Math.floor(whole / 60))} min ${two(whole % 60)} s` : `${String(Math.floor(whole / 60))} min`
  if (whole < 86_400) return `${String(Math.floor(whole / 3600))} h ${two(Math.floor((whole % 3600) / 60))} min`
  const days = Math.floor(whole / 86_400)
  return days < 3 ? `${String(days)} d ${two(Math.floor((whole % 86_400) / 3600))} h` : `${String(days)} d`
}

/** The coarse word for an age: 4 min, 3 h, 18 d. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${String(whole)} s`
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min`
  if (whole < 86_400) return `${String(Math.floor(whole / 3600))} h`
  return `${String(Math.floor(whole / 86_400))} d`
}

/** "3 min ago" up to seven days, then the date. */
export function ago(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000
  if (seconds < 1) return t`now`
  if (seconds > 7 * 86_400) return date(iso)
  return t`${age(seconds)} ago`
}

export function date(iso: string): string {
  const when = new Date(iso)
  const year = when.getFullYear() === new Date().getFullYear() ? undefined : 'numeric'
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year }).format(when)
}

/** 14:02:11, or with the date when it is not today. */
export function clock(iso: string, seconds = true): string {
  const when = new Date(iso)
  const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }), hourCycle: 'h23' }).format(when)
  return when.toDateString() === new Date().toDateString() ? time : `${date(iso)} ${time}`
}

/** With zone, for a title and for copying by eye. */
export const exact = (iso: string): string =>
  new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' }).format(new Date(iso))

export const shortId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12)

/** repository and tag apart; a digest counts as the tag. */
export function splitReference(reference: string): { repository: string; tag: string } {
  const at = reference.indexOf('@')
  if (at > 0) return { repository: reference.slice(0, at), tag: `@${shortId(reference.slice(at + 1))}` }
  const colon = reference.lastIndexOf(':')
  if (colon > reference.lastIndexOf('/')) return { repository: reference.slice(0, colon), tag: reference.slice(colon) }
  return { repository: reference, tag: '' }
}
