/**
 * Whatever Redis answers, or does not: the take loop lives on, says so once, and takes again within two seconds after the
 * cause has ended.
 */
import { mkdirSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as OnRedis from "../services/OnRedis.ts"
import * as RedisServer from "../services/RedisServer.ts"

const address = (port: number) => ({ host: "127.0.0.1", port, db: 0 })

/** Once a line of the log fits. */
const logged = (lines: ReadonlyArray<string>, pattern: RegExp) =>
  Effect.sync(() => lines.filter((line) => pattern.test(line))).pipe(
    Effect.filterOrFail(
      (found) => found.length > 0,
      () => new Error(`no line fits ${pattern}: ${lines.join("\n")}`)
    ),
    Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("10 seconds")))
  )

interface Cause {
  readonly name: string
  readonly args?: ReadonlyArray<string>
  readonly begin: (server: RedisServer.Server) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly end: (server: RedisServer.Server) => Effect.Effect<unknown, unknown>
  readonly says: RegExp
}

const own = (name: string) => `{huey.redis.huey}:q:${name}`

const config = (server: RedisServer.Server, ...pairs: ReadonlyArray<string>) =>
  server.connection.use((client) => client.call("CONFIG", "SET", ...pairs))

/** Ends all connections but the one that asks. */
const killAll = ({ connection }: RedisServer.Server) =>
  connection.use((client) => client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))

/** A command by a connection that asks nothing else: a busy Redis answers only this one. */
const raw = (port: number, command: string) =>
  Effect.async<void>((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\n`))
    socket.once("data", () => {
      socket.destroy()
      resume(Effect.void)
    })
  })

const causes: ReadonlyArray<Cause> = [
  {
    name: "READONLY, as after a demotion",
    begin: (server) => server.connection.use((client) => client.replicaof("127.0.0.1", 1)),
    end: (server) => server.connection.use((client) => client.replicaof("NO", "ONE")),
    says: /ERROR Redis answers (READONLY|MASTERDOWN)/
  },
  {
    name: "OOM, at maxmemory",
    begin: (server) => config(server, "maxmemory", "1"),
    // The worker goes on at maxmemory; only the producer cannot.
    end: (server) => config(server, "maxmemory", "0"),
    says: /^$/
  },
  {
    name: "MISCONF, where it cannot write its snapshot",
    args: ["--stop-writes-on-bgsave-error", "yes"],
    begin: (server) => {
      const { use } = server.connection
      // A directory stands where the file should be.
      const failed = use((client) => client.info("persistence")).pipe(
        Effect.filterOrFail(
          (info) => info.includes("rdb_last_bgsave_status:err"),
          () => new Error("it can be saved")
        ),
        Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
      )
      return Effect.sync(() => mkdirSync(join(server.directory, "dump.rdb", "full"), { recursive: true })).pipe(
        Effect.zipRight(config(server, "save", "3600 1")),
        Effect.zipRight(use((client) => client.bgsave())),
        Effect.zipRight(failed)
      )
    },
    end: (server) => config(server, "stop-writes-on-bgsave-error", "no"),
    says: /ERROR Redis answers MISCONF/
  },
  {
    name: "WRONGTYPE, where a key of ours is another program's",
    // With something to wait for: without, a worker asks for no more than that.
    begin: ({ connection }) =>
      connection.use((client) =>
        client.multi().del(own("seen")).set(own("seen"), "x").zadd(own("delayed"), 4e12, "later").exec()
      ),
    end: ({ connection }) => connection.use((client) => client.del(own("seen"), own("delayed"))),
    says: /ERROR Redis answers WRONGTYPE/
  },
  {
    name: "NOAUTH, where a password was set",
    begin: (server) => Effect.zipRight(config(server, "requirepass", "new"), killAll(server)),
    end: (server) => config(server, "requirepass", ""),
    says: /ERROR Redis answers NOAUTH/
  },
  {
    name: "NOPERM, where a right was taken away",
    begin: ({ connection }) =>
      connection.use((client) => client.call("ACL", "SETUSER", "default", "-evalsha", "-eval")),
    end: ({ connection }) => connection.use((client) => client.call("ACL", "SETUSER", "default", "+@all")),
    says: /ERROR Redis answers NOPERM/
  },
  {
    name: "BUSY, with a script that does not end",
    args: ["--busy-reply-threshold", "50"],
    begin: ({ connection }) =>
      Effect.forkScoped(Effect.ignore(connection.use((client) => client.eval("while true do end", 0), 30_000))),
    end: ({ port }) => raw(port, "SCRIPT KILL"),
    says: /ERROR Redis (answers BUSY|does not answer)/
  },
  {
    name: "no Redis at all, stopped and started again",
    begin: (server) => server.stop("SIGKILL"),
    end: (server) => server.start,
    says: /ERROR Redis does not answer/
  },
  {
    name: "a Redis that hangs",
    begin: (server) => server.signal("SIGSTOP"),
    end: (server) => server.signal("SIGCONT"),
    says: /ERROR Redis does not answer/
  }
]

describe("a worker survives", { concurrent: true }, () => {
  for (const cause of causes) {
    it.scopedLive(
      cause.name,
      () =>
        Effect.gen(function* () {
          const server = yield* RedisServer.make(cause.args)
          const worker = yield* OnRedis.make({ worker: address(server.port), producer: address(server.port) })
          yield* worker.enqueue("before")
          expect(yield* worker.next).toBe("before")
          yield* cause.begin(server)
          // OOM is no outage for a worker: there is nothing to say.
          if (cause.says.source !== "^$") yield* logged(worker.lines, cause.says)
          yield* cause.end(server)
          const begun = yield* Effect.forkScoped(Effect.timed(worker.next))
          yield* Effect.retry(worker.enqueue("after"), Schedule.spaced("20 millis"))
          const [took, text] = yield* Fiber.join(begun)
          expect(text).toBe("after")
          expect(Duration.toMillis(took)).toBeLessThan(2_000)
          const errors = worker.lines.filter((line) => line.startsWith("ERROR"))
          // Each complaint once, though it was tried again and again.
          expect(new Set(errors).size).toBe(errors.length)
          expect(yield* worker.isTaking("3 seconds")).toBe(true)
        }),
      30_000
    )
  }

  it.scopedLive("scripts that are flushed and connections that are killed, all the time", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const worker = yield* OnRedis.make({ worker: address(server.port), producer: address(server.port) })
      const nuisance = Effect.zipRight(
        server.connection.use((client) => client.script("FLUSH")),
        killAll(server)
      )
      yield* Effect.forkScoped(Effect.schedule(Effect.ignore(nuisance), Schedule.spaced("100 millis")))
      const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`)
      const enqueue = Effect.forEach(texts, (text) =>
        Effect.zipLeft(Effect.retry(worker.enqueue(text), Schedule.spaced("5 millis")), Effect.sleep("5 millis"))
      )
      yield* Effect.forkScoped(enqueue)
      const found = new Set<string>()
      while (found.size < texts.length) found.add(yield* worker.next)
      expect([...found].sort()).toEqual([...texts].sort())
    })
  )
})
