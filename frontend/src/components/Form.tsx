import './form.css'

import { Combobox, useCombobox } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { Plural } from '@lingui/react/macro'
import { type FormEvent, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useEffect, useId, useRef } from 'react'

import { Icon } from './Icon'

interface FieldProps {
  label: string
  hint?: ReactNode
  error?: string | undefined
  warning?: string | undefined
}

interface Wiring {
  id: string
  'aria-invalid': true | undefined
  'aria-describedby': string | undefined
}

/** Label above, hint and error below, joined by ids. */
export function Field({ label, hint, error, warning, id: given, children }: FieldProps & { id?: string | undefined; children: (wiring: Wiring) => ReactNode }) {
  const made = useId()
  const id = given ?? made
  const note = error ?? warning ?? hint
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-invalid': error ? true : undefined, 'aria-describedby': note ? `${id}-note` : undefined })}
      {note && (
        <p id={`${id}-note`} className={error ? 'error' : warning ? 'warning' : 'hint'}>
          {(error ?? warning) && <Icon name="alert" />}
          <span>{note}</span>
        </p>
      )}
    </div>
  )
}

type Text = FieldProps & { mono?: boolean; onChange: (value: string) => void } & Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange'>

export function TextField({ label, hint, error, warning, mono, onChange, id, ...rest }: Text) {
  return (
    <Field label={label} hint={hint} error={error} warning={warning} id={id}>
      {(wiring) => <input className={`input${mono ? ' mono' : ''}`} autoComplete="off" spellCheck={false} {...rest} {...wiring} onChange={(event) => { onChange(event.target.value); }} />}
    </Field>
  )
}

type Area = FieldProps & { onChange: (value: string) => void } & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'onChange'>

export function AreaField({ label, hint, error, warning, onChange, id, ...rest }: Area) {
  return (
    <Field label={label} hint={hint} error={error} warning={warning} id={id}>
      {(wiring) => <textarea className="input mono" spellCheck={false} {...rest} {...wiring} onChange={(event) => { onChange(event.target.value); }} />}
    </Field>
  )
}

export interface Option {
  value: string
  label: string
}
type SelectProps = FieldProps & { options: Option[]; onChange: (value: string) => void } & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'onChange'>

export function SelectField({ label, hint, error, warning, options, onChange, id, ...rest }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={error} warning={warning} id={id}>
      {(wiring) => (
        <select className="input" {...rest} {...wiring} onChange={(event) => { onChange(event.target.value); }}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** Free text with suggestions. */
export function ComboField({ label, hint, error, value, suggestions, onChange, placeholder, id }: FieldProps & { value: string; suggestions: string[]; onChange: (value: string) => void; placeholder?: string; id?: string }) {
  const combobox = useCombobox({ onDropdownClose: () => { combobox.resetSelectedOption(); } })
  const found = suggestions.filter((item) => item.toLowerCase().includes(value.toLowerCase()) && item !== value).slice(0, 8)
  return (
    <Field label={label} hint={hint} error={error} id={id}>
      {(wiring) => (
        <Combobox store={combobox} onOptionSubmit={(picked) => { onChange(picked); combobox.closeDropdown() }} transitionProps={{ duration: 0 }}>
          <Combobox.Target withExpandedAttribute>
            <input
              {...wiring}
              className="input mono"
              role="combobox"
              aria-autocomplete="list"
              aria-expanded={combobox.dropdownOpened && found.length > 0}
              aria-controls={combobox.listId ?? undefined}
              autoComplete="off"
              spellCheck={false}
              value={value}
              placeholder={placeholder}
              onChange={(event) => { onChange(event.target.value); combobox.openDropdown() }}
              onFocus={() => { combobox.openDropdown(); }}
              onBlur={() => { combobox.closeDropdown(); }}
            />
          </Combobox.Target>
          <Combobox.Dropdown hidden={found.length === 0}>
            <Combobox.Options className="options" aria-label={t`Suggestions for ${label}`}>
              {found.map((item) => (
                <Combobox.Option key={item} value={item} className="mono">
                  {item}
                </Combobox.Option>
              ))}
            </Combobox.Options>
          </Combobox.Dropdown>
        </Combobox>
      )}
    </Field>
  )
}

export function Check({ label, checked, onChange, role }: { label: string; checked: boolean; onChange: (value: boolean) => void; role?: 'switch' }) {
  return (
    <label className={role ? 'check-line meta' : 'check-line'}>
      <input type="checkbox" role={role} checked={checked} onChange={(event) => { onChange(event.target.checked); }} />
      {label}
    </label>
  )
}

export interface FormProblem {
  /** The id of the field; empty for the form as a whole. */
  id: string
  words: string
}

/** All that is wrong, at the top, each a link to its field; takes the focus when it appears. */
export function Problems({ items, round }: { items: FormProblem[]; round: number }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (round > 0) box.current?.focus()
  }, [round])
  if (items.length === 0) return null
  return (
    <div ref={box} className="problems" role="alert" tabIndex={-1} aria-label={items.length === 1 ? t`There is 1 problem` : t`There are ${items.length} problems`}>
      <span className="strong">
        <Plural value={items.length} one="There is # problem" other="There are # problems" />
      </span>
      <ul>
        {items.map((item) => (
          <li key={item.id + item.words}>{item.id ? <a href={`#${item.id}`} onClick={(event) => { focusField(event, item.id); }}>{item.words}</a> : item.words}</li>
        ))}
      </ul>
    </div>
  )
}

function focusField(event: React.MouseEvent, id: string): void {
  event.preventDefault()
  const field = document.getElementById(id)
  field?.closest('details')?.setAttribute('open', '')
  field?.focus()
}

/** Ctrl or Cmd + Enter sends; the browser's own validation stays out of the way. */
export function Form({ label, onSubmit, children }: { label: string; onSubmit: () => void; children: ReactNode }) {
  const form = useRef<HTMLFormElement>(null)
  const send = useRef(onSubmit)
  send.current = onSubmit
  useEffect(() => {
    const element = form.current
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send.current()
    }
    element?.addEventListener('keydown', onKeyDown)
    return () => element?.removeEventListener('keydown', onKeyDown)
  }, [])
  return (
    <form ref={form} className="form" aria-label={label} noValidate onSubmit={(event: FormEvent) => { event.preventDefault(); onSubmit() }}>
      {children}
    </form>
  )
}

/** A folded group whose closed line says the present value. */
export function Fold({ title, summary, open, children }: { title: string; summary: string; open?: boolean; children: ReactNode }) {
  return (
    <details className="fold" aria-label={title} open={open}>
      <summary>
        <Icon name="right" />
        <h2>{title}</h2>
        <span className="summary">{summary}</span>
      </summary>
      <div className="fold-body">{children}</div>
    </details>
  )
}

type Pick = FieldProps & { value: string; options: Option[]; onChange: (value: string) => void; id?: string; placeholder?: string }

/** One of a list, by pointer, arrows or typing its first letters. */
export function PickField({ label, hint, error, warning, value, options, onChange, id, placeholder }: Pick) {
  const combobox = useCombobox({ onDropdownOpen: () => { combobox.selectActiveOption(); } })
  const chosen = options.find((option) => option.value === value)
  return (
    <Field label={label} hint={hint} error={error} warning={warning} id={id}>
      {(wiring) => (
        <Combobox store={combobox} onOptionSubmit={(picked) => { onChange(picked); combobox.closeDropdown() }} transitionProps={{ duration: 0 }}>
          <Combobox.Target targetType="button" withExpandedAttribute>
            <button
              {...wiring}
              type="button"
              role="combobox"
              className="input pick"
              aria-haspopup="listbox"
              aria-expanded={combobox.dropdownOpened}
              aria-controls={combobox.listId ?? undefined}
              onClick={() => { combobox.toggleDropdown(); }}
              onBlur={() => { combobox.closeDropdown(); }}
            >
              {chosen?.label ?? <span className="muted">{placeholder}</span>}
            </button>
          </Combobox.Target>
          <Combobox.Dropdown>
            <Combobox.Options className="options" aria-label={t`Choices for ${label}`}>
              {options.map((option) => (
                <Combobox.Option key={option.value} value={option.value} active={option.value === value}>
                  {option.label}
                </Combobox.Option>
              ))}
            </Combobox.Options>
          </Combobox.Dropdown>
        </Combobox>
      )}
    </Field>
  )
}
