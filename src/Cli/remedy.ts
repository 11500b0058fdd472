/**
 * What an operator does about a store that does not let a command do its work.
 */
import type { JobStoreError } from "../JobStore.ts"
import { RedisError } from "../Redis/RedisError.ts"

const remedyOf = (cause: unknown, nameOf: (key: string) => string): string => {
  const key = nameOf("EDUMFA_JOB_QUEUE_URL")
  switch (cause instanceof RedisError ? cause.reason : undefined) {
    case "Auth":
      return `; write ${key} = 'redis://user:password@host:port/db'`
    case "Denied":
      return "; give its user the rights that the README lists"
    case "Connection":
      return `; if it is elsewhere, write ${key} = 'redis://host:port/db'`
    case "ReadOnly":
      return `; name the primary, write ${key} = 'redis://host:port/db'`
    default:
      return ""
  }
}

/** The error in a line with what to write, keys called by `nameOf`. */
export const withRemedy = ({ cause, message }: JobStoreError, nameOf: (key: string) => string): string =>
  `${message}${remedyOf(cause, nameOf)}`
