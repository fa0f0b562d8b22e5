/** The REST API's answers, from its OpenAPI document (`npm run api` makes schema.ts anew). */
import type { components } from './schema'

type Schemas = components['schemas']
/** The document marks a field optional that a request may leave out; an answer always has it. */
type Answer<Name extends keyof Schemas> = { -readonly [Field in keyof Schemas[Name]]-?: Exclude<Schemas[Name][Field], undefined> }

export interface Page<T> {
  results: T[]
  count: number
  next: string | null
  previous: string | null
}

/** Every row of a list has these. */
export interface Row {
  id: string
  version?: number
}

export type HostRef = Schemas['HostBrief']
export type OrderState = Schemas['OrderJsonStateEnum']
export type PendingOrder = Schemas['PendingOrder']
/** RFC 9457; the parts that a broken proxy's answer has not are missing. */
export type ProblemBody = Partial<Omit<Schemas['Problem'], 'errors'>> & { errors?: { pointer: string; code: string; detail: string }[] }

export type Container = Answer<'ContainerRow'>
export type ContainerDetail = Answer<'ContainerDetail'>
export type LastExit = Answer<'LastExit'>
export type Port = Schemas['Port']
export type Image = Answer<'ImageRow'>
export type Volume = Answer<'VolumeJson'>
export type Network = Answer<'NetworkJson'>
export type Host = Answer<'HostRow'>
export type HostDetail = Answer<'HostDetail'>
export type Order = Answer<'OrderJson'>
export type OrderBatch = Omit<Answer<'Batch'>, 'orders'> & { orders: Order[] }
export type OrderLine = Pick<Answer<'Line'>, 'n' | 'at' | 'step' | 'text'>
export type EngineEvent = Answer<'EventJson'>
export type AuditEntry = Answer<'EntryJson'>
export type ApiToken = Answer<'Token'>
export type Me = Answer<'Me'>
export type Summary = Answer<'Summary'>
export type Attention = Answer<'AttentionItem'>

/** One of a host's own checks. */
export interface Check {
  name: string
  ok: boolean
  detail?: string
  cure?: string
}

export type Repository = Answer<'RepositoryJson'>
export type Tag = Answer<'TagJson'>
