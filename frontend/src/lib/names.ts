/** Names of networks and volumes, as engines take them, and of hosts, which are DNS labels. */
import { t } from '@lingui/core/macro'

export const isName = (name: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)
export const nameWords = (): string => t`A name begins with a letter or digit and has only letters, digits, _ . and -`

export const isHostName = (name: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
export const hostNameWords = (): string => t`A host's name has lower-case letters, digits and -, at most 63`
