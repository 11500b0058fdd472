/**
 * What an operator should know about the Redis that holds the queue: where it may lose messages, or show them to others.
 */
import * as Effect from "effect/Effect"
import { isLoopback } from "../Loopback.ts"
import type { RedisAddress } from "./Address.ts"
import type { RedisConnection } from "./Connection.ts"
import type { RedisError } from "./RedisError.ts"

/** What is known of a Redis; undefined where it does not tell. */
interface Facts {
  /** Whether it is on this machine. */
  readonly local: boolean
  readonly policy: string | undefined
  readonly appendOnly: boolean | undefined
  readonly snapshots: boolean | undefined
}

const field = (info: string, name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1]

/** An answer that is a refusal tells nothing; no answer is a failure. */
const tolerant = <A>(ask: Effect.Effect<A, RedisError>): Effect.Effect<A | undefined, RedisError> =>
  Effect.catchIf(
    ask,
    // A command that is renamed or unknown, and one that an ACL denies.
    ({ reason }) => reason === "Denied" || reason === "Reply",
    (error) => Effect.as(Effect.logDebug(`Redis does not tell its settings: ${error.detail}`), undefined)
  )

const settings = Effect.fnUntraced(function* ({ use }: RedisConnection) {
  const config = (name: string) =>
    tolerant(
      Effect.map(
        use((client) => client.config("GET", name)),
        (reply) => (Array.isArray(reply) && typeof reply[1] === "string" ? reply[1] : undefined)
      )
    )
  const info = (section: string) => tolerant(use((client) => client.info(section)))
  const appendonly = yield* config("appendonly")
  const save = yield* config("save")
  const policy = yield* config("maxmemory-policy")
  // INFO tells whether there is an append-only file, and nothing of when snapshots are made.
  const persistence = appendonly === undefined ? yield* info("persistence") : undefined
  const memory = policy === undefined ? yield* info("memory") : undefined
  const aof = appendonly ?? { "0": "no", "1": "yes" }[field(persistence ?? "", "aof_enabled") ?? ""]
  return {
    policy: policy ?? field(memory ?? "", "maxmemory_policy"),
    appendOnly: aof === undefined ? undefined : aof === "yes",
    snapshots: save === undefined ? undefined : save !== ""
  } satisfies Omit<Facts, "local">
})

/** Whether the other end is this machine, by the address that the host's name led to. */
const isLocal = ({ use }: RedisConnection, address: RedisAddress) =>
  "path" in address ? Effect.succeed(true) : use((client) => Promise.resolve(isLoopback(client.stream.remoteAddress)))

/** The warnings that follow from what is known, a line each, with what to do. */
export const warnings = (facts: Facts, address: RedisAddress): ReadonlyArray<string> => {
  const tls = "path" in address ? undefined : address.tls
  const lines: Array<string> = []
  if (facts.policy !== undefined && facts.policy !== "noeviction") {
    lines.push(
      `Redis may throw messages away when its memory is full: set maxmemory-policy ${facts.policy} to noeviction`
    )
  }
  if (facts.appendOnly === false && facts.snapshots === false) {
    lines.push("Redis keeps nothing on its disk, so a restart loses all messages: set appendonly to yes")
  }
  if (!facts.local && tls === undefined) {
    lines.push("messages go to Redis over the network unencrypted, passwords and codes with them: use rediss://")
  }
  if (tls?.verify === false) {
    lines.push("ssl_cert_reqs=none: whoever answers in Redis' place reads all; name its CA by ssl_ca_certs instead")
  } else if (tls?.checkName === false) {
    lines.push("ssl_check_hostname=false: any host with a certificate of that CA may answer in Redis' place; remove it")
  }
  return lines
}

/**
 * Asks a Redis how it is set, and answers with {@link warnings}. Where it refuses to tell, nothing is said; fails only
 * where it gives no answer.
 */
export const inspect = Effect.fn("Redis.inspect")(function* (
  connection: RedisConnection,
  address: RedisAddress
): Effect.fn.Return<ReadonlyArray<string>, RedisError> {
  const local = yield* isLocal(connection, address)
  return warnings({ local, ...(yield* settings(connection)) }, address)
})
