import { post } from '@/lib/api'

export interface ExecRequest {
  command: string[]
  user?: string
  tty: boolean
  cols: number
  rows: number
}

/** Prepares a session; its socket starts the program. */
export const createExec = (id: string, body: ExecRequest): Promise<{ id: string }> => post(`/api/containers/${id}/execs/`, body)
