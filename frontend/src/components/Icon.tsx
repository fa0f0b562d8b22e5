/** One icon of the sprite; always beside words or inside a named button, so hidden from readers. */
export function Icon({ name, className }: { name: string; className?: string }) {
  return (
    <svg className={className ?? 'icon'} aria-hidden="true">
      <use href={`#i-${name}`} />
    </svg>
  )
}

/** A state's icon. With a label it is an image that says the state; without, words stand beside it. */
export function StateIcon({ icon, tone, label }: { icon: string; tone?: string; label?: string }) {
  return (
    <svg className={`state-icon ${tone ?? ''}`} {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}>
      <use href={`#${icon}`} />
    </svg>
  )
}
