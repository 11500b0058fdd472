/**
 * A redis-server of the test's own: on a free port, in a directory of its own, gone with its scope.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Huey from "../../src/Huey.ts"
import * as JobId from "../../src/JobId.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import type { JobQueue } from "../../src/JobQueue.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import type { JobStore } from "../../src/JobStore.ts"
import * as Connection from "../../src/Redis/Connection.ts"
import * as Redis from "../../src/Redis.ts"

export interface Server {
  readonly port: number
  readonly url: string
  /** Where it keeps its files. */
  readonly directory: string
  /** Sends a signal and waits for the end. */
  readonly stop: (signal?: NodeJS.Signals) => Effect.Effect<void>
  /** Sends a signal that does not end it. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Starts it again on the same port and directory. */
  readonly start: Effect.Effect<void>
  /** A connection to look at what it holds. */
  readonly connection: Connection.RedisConnection
}

/** A port nobody listens on now. */
export const freePort: Effect.Effect<number> = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const ready = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    let text = ""
    child.stdout?.on("data", (data: Buffer) => {
      text += data.toString()
      if (text.includes("Ready to accept connections")) resume(Effect.void)
    })
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("exit", (code) => resume(Effect.die(new Error(`redis-server ended with ${code}: ${text}`))))
  })

const ended = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) resume(Effect.void)
    else child.once("exit", () => resume(Effect.void))
  })

/** Starts a server; `args` come behind the defaults, which keep nothing on disk. */
export const make = Effect.fnUntraced(function* (args: ReadonlyArray<string> = []) {
  const port = yield* freePort
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "redis-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  let child: ChildProcess | undefined
  const start = Effect.suspend(() => {
    const base = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
    child = spawn("redis-server", [...base, ...args], { stdio: ["ignore", "pipe", "ignore"] })
    return ready(child)
  })
  const stop = (signal: NodeJS.Signals = "SIGTERM") =>
    Effect.suspend(() => {
      if (child === undefined) return Effect.void
      child.kill(signal)
      return ended(child)
    })
  yield* Effect.addFinalizer(() => stop("SIGKILL"))
  yield* start
  const connection = yield* Connection.connect({ host: "127.0.0.1", port, db: 0 }, "worker")
  const signal = (name: NodeJS.Signals) =>
    Effect.sync(() => {
      child?.kill(name)
    })
  return { signal, connection, port, directory, url: `redis://127.0.0.1:${port}/0`, stop, start } satisfies Server
})

const certificates = (name: string) => fileURLToPath(new URL(`../fixtures/tls/redis/${name}`, import.meta.url))

/** One that also speaks TLS with this certificate of the fixtures, and asks for one of the client or not. */
export const makeTls = Effect.fnUntraced(function* (certificate: string, clients: "yes" | "no" = "no") {
  const port = yield* freePort
  const files = ["--tls-cert-file", certificates(certificate), "--tls-key-file", certificates("server.key")]
  const more = ["--tls-ca-cert-file", certificates("ca.pem"), "--tls-auth-clients", clients]
  const server = yield* make(["--tls-port", String(port), ...files, ...more])
  return { ...server, tlsPort: port }
})

/** How many clients wait in a call that blocks. */
export const blocked = ({ connection: { use } }: Server) =>
  Effect.map(
    use((client) => client.info("clients")),
    (info) => Number(/^blocked_clients:(\d+)/m.exec(info)?.[1])
  )

export class RedisServer extends Context.Tag("test/RedisServer")<RedisServer, Server>() {}

export const layer: Layer.Layer<RedisServer> = Layer.scoped(RedisServer, make())

/** Connections to the server of {@link layer}. */
const redis: Layer.Layer<Redis.Redis, never, RedisServer> = Layer.effect(
  Redis.Redis,
  Effect.map(RedisServer, ({ port }) => Redis.make({ host: "127.0.0.1", port, db: 0 }))
)

/** A queue of its own on that server, both sides. */
export const queue = (options: {
  readonly lease?: Duration.Duration
}): Layer.Layer<JobQueue | JobStore, never, RedisServer> =>
  Layer.unwrapEffect(
    Effect.map(JobId.make, (queueName) =>
      Layer.merge(
        RedisQueue.layer({ queueName, codec: Huey.make() }),
        RedisStore.layer({
          queueName,
          lease: options.lease ?? Duration.seconds(30),
          scheduleOffset: () => 0,
          block: Option.some(5)
        })
      )
    )
  ).pipe(Layer.provide(redis))
