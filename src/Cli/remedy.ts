/**
 * What an operator does about a store that does not let a command do its work.
 */
import { JobStoreError } from "../JobStore.ts"
import { RedisError } from "../Redis/RedisError.ts"

/** By the words of a {@link RedisError} about TLS. */
const tlsRemedy = (detail: string, key: string): string => {
  if (detail.includes("speak TLS")) return `; without TLS write ${key} = 'redis://host:port/db'`
  if (detail.includes("ssl_ca_certs in")) return `; write ${key} = 'rediss://host:port/db?ssl_ca_certs=/path.pem'`
  if (detail.includes("name in the URL")) return `; write ${key} = 'rediss://name-in-the-certificate:port/db'`
  return ""
}

const remedyOf = (cause: unknown, nameOf: (key: string) => string): string => {
  if (!(cause instanceof RedisError)) return ""
  const key = nameOf("EDUMFA_JOB_QUEUE_URL")
  switch (cause.reason) {
    case "Tls":
      return tlsRemedy(cause.detail, key)
    case "Auth":
      return `; write ${key} = 'redis://user:password@host:port/db'`
    case "Denied":
      return "; give its user the rights that the README lists"
    case "Connection":
      // It asks about the port already.
      if (cause.detail.includes("speak TLS")) return tlsRemedy(cause.detail, key)
      return `; if it is elsewhere, write ${key} = 'redis://host:port/db'`
    case "ReadOnly":
      return `; name the primary, write ${key} = 'redis://host:port/db'`
    default:
      // 16 databases unless Redis' own configuration says otherwise.
      return cause.detail.includes("DB index is out of range") ? `; write ${key} = 'redis://host:port/0'` : ""
  }
}

/** The error in a line with what to write, keys called by `nameOf`. */
export const withRemedy = ({ cause, message }: JobStoreError, nameOf: (key: string) => string): string =>
  `${message}${remedyOf(cause, nameOf)}`

/** The same as an error. */
export const remedied = (error: JobStoreError, nameOf: (key: string) => string): JobStoreError => {
  const { cause, reason } = error
  return new JobStoreError({ reason, detail: withRemedy(error, nameOf), cause })
}
