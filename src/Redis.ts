/**
 * Redis, as the queue and the store reach it: an address, and as many connections as they ask for.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Address from "./Redis/Address.ts"
import * as Advice from "./Redis/advice.ts"
import * as Connection from "./Redis/Connection.ts"
import type { RedisError } from "./Redis/RedisError.ts"
import * as Url from "./Redis/Url.ts"

export class Redis extends Context.Tag("edumfa-queue/Redis")<
  Redis,
  {
    /** Place and database, for the log. */
    readonly name: string
    /** What has no effect of that with which Redis was configured, a line each, for the log. */
    readonly notes: ReadonlyArray<string>
    /** Warnings for the log, a line each: where this Redis may lose messages or show them. Fails if it does not answer. */
    readonly advice: (connection: Connection.RedisConnection) => Effect.Effect<ReadonlyArray<string>, RedisError>
    /** Opens a connection of its own in the background; commands wait for the first try to connect, no longer. */
    readonly connect: (profile: Connection.Profile) => Effect.Effect<Connection.RedisConnection, never, Scope.Scope>
  }
>() {}

const url = (key: string) =>
  Config.redacted(key).pipe(
    Config.mapOrFail((text) =>
      Either.mapLeft(Url.parse(Redacted.value(text)), (error) => ConfigError.InvalidData([key], error.message))
    )
  )

const clientName = Config.option(Config.string("EDUMFA_JOB_QUEUE_CLIENT_NAME"))

const parts = Config.all({
  host: Config.withDefault(Config.string("EDUMFA_JOB_QUEUE_HOST"), "localhost"),
  port: Config.withDefault(Config.port("EDUMFA_JOB_QUEUE_PORT"), 6379),
  db: Config.integer("EDUMFA_JOB_QUEUE_DB").pipe(
    Config.validate({ message: "expected a number from 0", validation: (db) => db >= 0 }),
    Config.withDefault(0)
  ),
  username: Config.option(Config.string("EDUMFA_JOB_QUEUE_USERNAME")),
  password: Config.option(Config.redacted("EDUMFA_JOB_QUEUE_PASSWORD"))
}).pipe(
  Config.map(
    ({ host, port, db, username, password }): Url.Parsed => ({
      address: {
        host,
        port,
        db,
        ...(Option.isSome(username) ? { username: username.value } : {}),
        ...(Option.isSome(password) ? { password: password.value } : {})
      },
      notes: []
    })
  )
)

/** The name in the URL goes before the key's, as in redis-py. */
const named = (clientName: Option.Option<string>, { address, notes }: Url.Parsed) =>
  make({ ...(Option.isSome(clientName) ? { clientName: clientName.value } : {}), ...address }, notes)

/** EDUMFA_JOB_QUEUE_URL, or _HOST, _PORT, _DB, _USERNAME and _PASSWORD; default redis://localhost:6379/0. */
export const config: Config.Config<Context.Tag.Service<Redis>> = Config.all({
  url: Config.option(url("EDUMFA_JOB_QUEUE_URL")),
  parts,
  clientName
}).pipe(
  Config.map(({ url, parts, clientName }) =>
    named(
      clientName,
      Option.getOrElse(url, () => parts)
    )
  )
)

/** EDUMFA_QUEUE_WORKER_REDIS_URL where it is given, for a worker that reaches Redis by another way than the server. */
export const workerConfig: Config.Config<Context.Tag.Service<Redis>> = Config.all({
  url: url("EDUMFA_QUEUE_WORKER_REDIS_URL"),
  clientName
}).pipe(
  Config.map(({ url, clientName }) => named(clientName, url)),
  Config.orElseIf({ if: ConfigError.isMissingDataOnly, orElse: () => config })
)

/** Connections to the Redis at one address. */
export const make = (address: Address.RedisAddress, notes: ReadonlyArray<string> = []): Context.Tag.Service<Redis> => ({
  name: Address.show(address),
  notes,
  advice: (connection) => Advice.inspect(connection, address),
  connect: (profile) => Connection.connect(address, profile)
})

export const layer = (address: Address.RedisAddress): Layer.Layer<Redis> => Layer.succeed(Redis, make(address))
