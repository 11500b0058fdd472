/**
 * What an operator does about a store that does not let a command do its work.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EdumfaConfig } from "../EdumfaConfig.ts"
import { JobStoreError } from "../JobStore.ts"
import { RedisError } from "../Redis/RedisError.ts"

const serverKey = "EDUMFA_JOB_QUEUE_URL"

const workerKey = "EDUMFA_QUEUE_WORKER_REDIS_URL"

/** The key that names the Redis of a worker, as the product calls it: the worker's own where that is given. */
export const urlKey: Effect.Effect<string, never, EdumfaConfig> = Effect.flatMap(EdumfaConfig, ({ get, nameOf }) =>
  Effect.match(get(Config.option(Config.string(workerKey))), {
    onFailure: () => nameOf(serverKey),
    onSuccess: (own) => nameOf(Option.isSome(own) ? workerKey : serverKey)
  })
)

/** By the words of a {@link RedisError} about TLS. */
const tlsRemedy = (detail: string, key: string): string => {
  if (detail.includes("speak TLS")) return `; without TLS write ${key} = 'redis://host:port/db'`
  if (detail.includes("ssl_ca_certs in")) return `; write ${key} = 'rediss://host:port/db?ssl_ca_certs=/path.pem'`
  if (detail.includes("name in the URL")) return `; write ${key} = 'rediss://name-in-the-certificate:port/db'`
  return ""
}

const remedyOf = (cause: unknown, key: string): string => {
  if (!(cause instanceof RedisError)) return ""
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

/** The error in a line with what to write; `key` is the one that {@link urlKey} finds. */
export const withRemedy = ({ cause, message }: JobStoreError, key: string): string =>
  `${message}${remedyOf(cause, key)}`

/** The same as an error. */
export const remedied = (error: JobStoreError, key: string): JobStoreError => {
  const { cause, reason } = error
  return new JobStoreError({ reason, detail: withRemedy(error, key), cause })
}
