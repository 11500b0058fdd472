import { createServer, connect as dial, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Connection from "../../src/Redis/Connection.ts"
import * as Script from "../../src/Redis/Script.ts"
import * as RedisServer from "../services/RedisServer.ts"

const address = (port: number) => ({ host: "127.0.0.1", port, db: 0 })

const ping = (connection: Connection.RedisConnection, silence?: number) =>
  connection.use((client) => client.ping(), silence)

/** A link that can be made silent in both directions without being closed. */
const freezable = (target: number) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly freeze: () => void; readonly close: () => void }>((resume) => {
      let frozen = false
      const sockets = new Set<Socket>()
      const proxy = createServer((client) => {
        const server = dial(target, "127.0.0.1")
        for (const [from, to] of [
          [client, server],
          [server, client]
        ] as const) {
          sockets.add(from)
          from.on("data", (data) => frozen || to.write(data))
          from.on("error", () => to.destroy())
        }
      })
      const freeze = () => {
        frozen = true
      }
      const close = () => {
        for (const socket of sockets) socket.destroy()
        proxy.close()
      }
      proxy.listen(0, "127.0.0.1", () => {
        const at = proxy.address()
        resume(Effect.succeed({ port: typeof at === "object" && at !== null ? at.port : 0, freeze, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const echo = Script.make({
  name: "echo",
  keys: ["first", "second"],
  args: ["word", "bytes"],
  body: "return { key_first, key_second, arg_word, arg_bytes, ARGV[first_rest] }",
  decode: (reply) => (Array.isArray(reply) ? Either.right(reply.map(String)) : Either.left("not a list"))
})

describe("Redis.Connection", () => {
  it.scopedLive("runs a script by name of its keys and arguments, also after SCRIPT FLUSH", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(port), "worker", "mfa-worker")
      const keys = { second: "k2", first: "k1" }
      const run = connection.run(echo, keys, { bytes: new Uint8Array([0x41]), word: "w" }, ["rest"])
      expect(yield* run).toEqual(["k1", "k2", "w", "A", "rest"])
      yield* connection.use((client) => client.script("FLUSH"))
      expect(yield* run).toEqual(["k1", "k2", "w", "A", "rest"])
      expect(yield* connection.use((client) => client.client("GETNAME"))).toBe("mfa-worker")
    })
  )

  it.scopedLive("sorts what Redis answers", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "worker", undefined)
      const failure = (effect: Effect.Effect<unknown, { readonly reason: string }>) =>
        Effect.map(Effect.flip(effect), ({ reason }) => reason)
      yield* connection.use((client) => client.set("text", "x"))
      expect(yield* failure(connection.use((client) => client.lpush("text", "y")))).toBe("WrongType")
      expect(yield* failure(connection.use((client) => client.call("NO.SUCH.COMMAND")))).toBe("Reply")
      yield* connection.use((client) => client.config("SET", "maxmemory", "1"))
      expect(yield* failure(connection.use((client) => client.set("more", "x")))).toBe("OutOfMemory")
      yield* connection.use((client) => client.config("SET", "maxmemory", "0"))
      yield* connection.use((client) => client.replicaof("127.0.0.1", "1"))
      expect(yield* failure(connection.use((client) => client.set("more", "x")))).toBe("ReadOnly")
      // The connection to a replica is given up, so that a new one finds the new primary.
      expect(yield* failure(connection.use((client) => client.replicaof("NO", "ONE")))).toBe("ReadOnly")
      yield* Effect.retry(
        connection.use((client) => client.replicaof("NO", "ONE")),
        { times: 100 }
      )
      yield* connection.use((client) => client.config("SET", "requirepass", "secret"))
      for (const [password, reason] of [
        ["wrong", "Auth"],
        [undefined, "Auth"]
      ] as const) {
        const other = yield* Connection.connect(
          { ...address(server.port), ...(password === undefined ? {} : { password: Redacted.make(password) }) },
          "producer",
          undefined
        )
        expect(yield* failure(ping(other))).toBe(reason)
      }
      const right = yield* Connection.connect(
        { ...address(server.port), password: Redacted.make("secret") },
        "producer",
        undefined
      )
      expect(yield* ping(right)).toBe("PONG")
    })
  )

  it.scopedLive("fails at once, and with the reason, where nobody listens", () =>
    Effect.gen(function* () {
      const connection = yield* Connection.connect(address(yield* RedisServer.freePort), "producer", undefined)
      const error = yield* Effect.flip(ping(connection))
      expect(error).toMatchObject({ reason: "Connection", message: "Redis does not answer (ECONNREFUSED)" })
    })
  )

  it.scopedLive("replaces a link that has fallen silent, and one that was cut", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const link = yield* freezable(server.port)
      const connection = yield* Connection.connect(address(link.port), "worker", undefined)
      expect(yield* ping(connection)).toBe("PONG")
      link.freeze()
      const silent = yield* Effect.flip(ping(connection, 200))
      expect(silent).toMatchObject({ reason: "Connection", message: "Redis does not answer (no reply within 200 ms)" })
      const direct = yield* Connection.connect(address(server.port), "worker", undefined)
      yield* ping(direct)
      yield* server.stop("SIGKILL")
      expect(yield* Effect.flip(ping(direct))).toMatchObject({ reason: "Connection" })
      yield* server.start
      expect(yield* Effect.retry(ping(direct), { times: 100 })).toBe("PONG")
    })
  )
})
