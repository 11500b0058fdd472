/**
 * huey's Message: the fields of its namedtuple as a job's consumer sees them.
 */
import type { Call } from "../Job.ts"
import { HueyError } from "./HueyError.ts"
import { limits } from "./limits.ts"
import * as NaiveDateTime from "./NaiveDateTime.ts"
import { Instance, isDict, Tuple } from "./PickleValue.ts"

/** A job on the wire. */
export interface Message {
  readonly id: string
  /** The job's name on the wire. */
  readonly name: string
  readonly call: Call
  /** Milliseconds since the epoch; not to be performed before. */
  readonly eta: number | undefined
  /** Milliseconds since the epoch; worthless after. */
  readonly expiresAt: number | undefined
  /** How often huey's own consumer would try again. */
  readonly retries: number
  /** Seconds between those tries. */
  readonly retryDelay: number
  /** All fields as they were read; what is not above goes back to the wire as it came. Empty for a new message. */
  readonly fields: ReadonlyArray<unknown>
}

/** Where huey's namedtuple has its fields. */
const at = { id: 0, name: 1, eta: 2, retries: 3, retryDelay: 4, args: 6, kwargs: 7, expiresResolved: 11 } as const

/** Fields of huey 3.3, which ends with retry_backoff. */
const mostFields = 15

/** Fields of a new message: huey before 3.3 refuses a fifteenth, and 3.3 takes None for it. */
const newFields = 14

/** A message of a job that is enqueued now. */
export const make = (options: {
  readonly id: string
  readonly name: string
  readonly call: Call
  /** Milliseconds since the epoch. */
  readonly eta?: number
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number
  /** Default 0. */
  readonly retries?: number
  /** Seconds; default 0. */
  readonly retryDelay?: number
}): Message => ({
  id: options.id,
  name: options.name,
  call: options.call,
  eta: options.eta,
  expiresAt: options.expiresAt,
  retries: options.retries ?? 0,
  retryDelay: options.retryDelay ?? 0,
  fields: []
})

/** The same message with other arguments. */
export const withCall = (message: Message, call: Call): Message => ({ ...message, call })

const refuse = (detail: string): never => {
  throw new HueyError({ reason: "NotMessage", detail })
}

const readName = (value: unknown, field: string): string =>
  typeof value === "string" && value.length > 0 && value.length <= limits.name
    ? value
    : refuse(`${field} is not a text of 1 to ${limits.name} characters`)

const readTime = (value: unknown, field: string, zone: NaiveDateTime.Zone): number | undefined => {
  if (value === null || value === undefined) return undefined
  return value instanceof NaiveDateTime.NaiveDateTime
    ? NaiveDateTime.toEpoch(value, zone)
    : refuse(`${field} is not a datetime`)
}

const readNumber = (value: unknown, field: string): number => {
  if (value === null || value === undefined) return 0
  return typeof value === "number" && Number.isFinite(value) ? value : refuse(`${field} is not a number`)
}

/** The message that a pickle held; throws a HueyError for any other value. */
export const fromPickle = (value: unknown, zone: NaiveDateTime.Zone): Message => {
  if (!(value instanceof Instance) || value.name !== "Message")
    return refuse("the pickle holds no huey.registry.Message")
  const fields = value.args
  if (fields.length > mostFields) refuse(`a Message of ${fields.length} fields, ${mostFields} are known`)
  const args = fields[at.args] ?? new Tuple()
  const kwargs = fields[at.kwargs] ?? {}
  return {
    id: readName(fields[at.id], "id"),
    name: readName(fields[at.name], "name"),
    call: {
      args: args instanceof Tuple ? args : refuse("args is not a tuple"),
      kwargs: isDict(kwargs) ? kwargs : refuse("kwargs is not a dict")
    },
    eta: readTime(fields[at.eta], "eta", zone),
    expiresAt: readTime(fields[at.expiresResolved], "expires_resolved", zone),
    retries: readNumber(fields[at.retries], "retries"),
    retryDelay: readNumber(fields[at.retryDelay], "retry_delay"),
    fields
  }
}

/** Microseconds that a message's milliseconds do not show stay as they were read. */
const writeTime = (epoch: number | undefined, read: unknown, zone: NaiveDateTime.Zone): unknown => {
  if (epoch === undefined) return null
  if (read instanceof NaiveDateTime.NaiveDateTime && NaiveDateTime.toEpoch(read, zone) === epoch) return read
  const time = NaiveDateTime.fromEpoch(epoch, zone)
  if (time === undefined) {
    throw new HueyError({ reason: "Limit", detail: "a time outside the years 1 to 9999" })
  }
  return time
}

/** None stays None: huey puts its task's own default in its place, which 0 is not. */
const writeNumber = (value: number, read: unknown): unknown => (value === 0 && read === null ? read : value)

/** What is pickled for a message. An expiry is given resolved only: huey would resolve the other again at each retry. */
export const toPickle = (message: Message, zone: NaiveDateTime.Zone): Instance => {
  const { call, fields } = message
  const written = fields.length === 0 ? new Array<unknown>(newFields).fill(null) : [...fields]
  written[at.id] = message.id
  written[at.name] = message.name
  written[at.eta] = writeTime(message.eta, fields[at.eta], zone)
  written[at.retries] = writeNumber(message.retries, fields[at.retries])
  written[at.retryDelay] = writeNumber(message.retryDelay, fields[at.retryDelay])
  written[at.args] = call.args instanceof Tuple ? call.args : Tuple.make(call.args)
  written[at.kwargs] = call.kwargs
  if (message.expiresAt !== undefined || at.expiresResolved < written.length) {
    written[at.expiresResolved] = writeTime(message.expiresAt, fields[at.expiresResolved], zone)
  }
  return new Instance("huey.registry", "Message", written)
}
