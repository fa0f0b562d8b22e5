/** Names of networks and volumes, as engines take them. */
import { t } from '@lingui/core/macro'

export const isName = (name: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)
export const nameWords = (): string => t`A name begins with a letter or digit and has only letters, digits, _ . and -`
