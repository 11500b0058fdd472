/**
 * One connection of ioredis, wrapped: every use of it is an Effect that fails with a RedisError.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Redis as IORedis, type RedisOptions } from "ioredis"
import { fromCause, RedisError, unwrap } from "./RedisError.ts"
import type { Argument, Script } from "./Script.ts"
import type { RedisAddress } from "./Url.ts"

/**
 * How a connection is used. `producer`: a web request waits for it, so it fails fast; `worker`: commands and scripts of
 * the take loop; `blocking`: nothing but the call that waits for an arrival.
 */
export type Profile = "producer" | "worker" | "blocking"

/** One connection. */
export interface RedisConnection {
  /** A link that carries no reply for `silence` milliseconds is replaced; the default is the profile's. */
  readonly use: <A>(f: (client: IORedis) => Promise<A>, silence?: number) => Effect.Effect<A, RedisError>
  /** Runs a script by its hash, and by its text when Redis does not have it. */
  readonly run: <Key extends string, Arg extends string, Reply>(
    script: Script<Key, Arg, Reply>,
    keys: Readonly<Record<Key, string>>,
    args: Readonly<Record<Arg, Argument>>,
    rest?: ReadonlyArray<Argument>
  ) => Effect.Effect<Reply, RedisError>
}

/** Milliseconds without the reply to a command after which a link is taken for dead: the only cure of a half-open one. */
const silences: Readonly<Record<Profile, number>> = { producer: 3_000, worker: 5_000, blocking: 5_000 }

const options = (address: RedisAddress, clientName: string | undefined): RedisOptions => ({
  ...(clientName === undefined ? {} : { connectionName: clientName }),
  host: address.host,
  port: address.port,
  db: address.db,
  ...(address.username === undefined ? {} : { username: address.username }),
  ...(address.password === undefined ? {} : { password: Redacted.value(address.password) }),
  lazyConnect: true,
  connectTimeout: 5_000,
  // A half-open link answers no goodbye.
  disconnectTimeout: 500,
  keepAlive: 30_000,
  // A reply to CLIENT SETINFO is an error before Redis 7.2, and denied by a minimal ACL.
  disableClientInfo: true,
  // Nothing is ever sent twice by the driver: all commands in hand fail when a connection ends.
  maxRetriesPerRequest: 0,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1_000)
})

const onWire = (value: Argument): string | number | Buffer =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value

/** Whether Redis has not that database, or an ACL denies it. */
const isRefusedSelect = (error: unknown): boolean =>
  Predicate.hasProperty(error, "command") &&
  Predicate.hasProperty(error.command, "name") &&
  error.command.name === "select"

/** Opens a connection in the background; commands wait for the first try to connect, no longer. */
export const connect = (
  address: RedisAddress,
  profile: Profile,
  clientName: string | undefined
): Effect.Effect<RedisConnection, never, Scope.Scope> =>
  Effect.gen(function* () {
    let lastError: unknown
    const note = (error: unknown) => {
      lastError = error
    }
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const client = new IORedis({
          ...options(address, clientName),
          // A demoted or loading server is left; 1 is "reconnect, and do not send the command again".
          reconnectOnError: (error) => {
            if (!/^(READONLY|LOADING|MASTERDOWN)/.test(unwrap(error.message))) return false
            note(error)
            return 1
          }
        })
        client.on("error", (error: unknown) => {
          note(error)
          // ioredis would go on in database 0. The link is ended before it is ready, so that nothing is executed there.
          if (isRefusedSelect(error)) client.disconnect(true)
        })
        client.on("connect", () => note(undefined))
        // What it fails with, the error event has said better; the commands that wait for it fail too.
        client.connect().catch(() => {})
        return client
      }),
      (client) => Effect.sync(() => client.disconnect())
    )
    // ioredis' own socketTimeout outlives its connection and then destroys the next one (5.11), and costs a fiber's timer
    // for each command: hence a plain timer here.
    const use: RedisConnection["use"] = (f, silence = silences[profile]) =>
      Effect.async((resume) => {
        const timer = setTimeout(() => {
          note(new Error(`no reply within ${silence} ms`))
          client.disconnect(true)
        }, silence)
        f(client).then(
          (value) => {
            clearTimeout(timer)
            resume(Effect.succeed(value))
          },
          (cause: unknown) => {
            clearTimeout(timer)
            resume(Effect.fail(fromCause(cause, lastError)))
          }
        )
      })
    const run: RedisConnection["run"] = (script, keys, args, rest = []) => {
      const values: Array<string | number | Buffer> = [script.keys.length]
      for (const key of script.keys) values.push(keys[key])
      for (const arg of script.args) values.push(onWire(args[arg]))
      for (const value of rest) values.push(onWire(value))
      return use((client) =>
        client.callBuffer("EVALSHA", [script.sha1, ...values]).catch((error: unknown) => {
          if (error instanceof Error && error.message.startsWith("NOSCRIPT")) {
            return client.callBuffer("EVAL", [script.lua, ...values])
          }
          throw error
        })
      ).pipe(
        Effect.flatMap((reply) =>
          Either.mapLeft(
            script.decode(reply),
            (wrong) => new RedisError({ reason: "Reply", detail: `unexpected reply of ${script.name}: ${wrong}` })
          )
        )
      )
    }
    return { use, run }
  })
