import { newKey, post } from '@/lib/api'

export interface Enrolment {
  id: string
  join_string: string
  command: string
  expires_at: string
  host?: { id: string; name: string } | string | null
}

/** The join string is in this answer only. */
export const createEnrolment = (name: string, labels: Record<string, string>): Promise<Enrolment> => post<Enrolment>('/api/enrolments/', { name, labels }, { key: newKey() })
