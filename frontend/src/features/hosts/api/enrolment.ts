import { newKey, post } from '@/lib/api'
import type { components } from '@/lib/schema'

export type Enrolment = components['schemas']['NewEnrolment']

/** The join string is in this answer only. */
export const createEnrolment = (name: string, labels: Record<string, string>): Promise<Enrolment> => post<Enrolment>('/api/enrolments/', { name, labels }, { key: newKey() })
