import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useEffect, useState } from 'react'

import { prepare, signIn, type SignIn } from '@/lib/session'

import { Button } from './Button'
import { TextField } from './Form'
import { Icon } from './Icon'

/** Name and password. Paste and password managers work. */
export function SignInForm({ onDone }: { onDone: () => void }) {
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const [answer, setAnswer] = useState<SignIn | null>(null)
  useEffect(() => void prepare(), [])
  async function submit(): Promise<void> {
    if (busy) return
    setBusy(true)
    try {
      const next = await signIn(login, password)
      setAnswer(next)
      if (next.kind === 'done') onDone()
    } catch (error) {
      setAnswer({ kind: 'error', words: String(error) })
    } finally {
      setBusy(false)
    }
  }
  const words = answer && problemWords(answer)
  return (
    <form className="stack" noValidate onSubmit={(event) => { event.preventDefault(); void submit() }}>
      {words && (
        <p className="alert" role="alert">
          <Icon name="alert" />
          <span>{words}</span>
        </p>
      )}
      <TextField label={t`Username or e-mail`} value={login} onChange={setLogin} autoComplete="username" autoCapitalize="none" autoFocus />
      <TextField label={t`Password`} type="password" value={password} onChange={setPassword} autoComplete="current-password" />
      <Button type="submit" kind="primary" className="wide" aria-busy={busy}>
        <Trans>Sign in</Trans>
      </Button>
    </form>
  )
}

function problemWords(answer: SignIn): string {
  switch (answer.kind) {
    case 'wrong':
      return t`Wrong username or password`
    case 'wait':
      return t`Too many attempts. Try again in ${answer.seconds} s.`
    case 'error':
      return answer.words
    default:
      return ''
  }
}
