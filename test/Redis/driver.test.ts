/**
 * What the driver does: the facts about ioredis that src/Redis/Link.ts is built on. Where one of these fails after an
 * upgrade, read that file again.
 */
import { connect as dial, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { AbstractConnector, Redis, type RedisOptions } from "ioredis"
import * as RedisServer from "../services/RedisServer.ts"
import * as ScriptedServer from "./ScriptedServer.ts"
import * as SwallowingProxy from "./SwallowingProxy.ts"

/** A client whose errors are kept, gone with the scope. */
const client = (port: number, options: RedisOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const errors: Array<string> = []
      const redis = new Redis({ host: "127.0.0.1", port, ...options })
      redis.on("error", (error: Error) => errors.push(error.message))
      return { redis, errors }
    }),
    ({ redis }) => Effect.sync(() => redis.disconnect())
  )

const settled = (promise: Promise<unknown>) =>
  Effect.promise(() =>
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error: error instanceof Error ? error.message : error })
    )
  )

/** The options of a link that bear on its end. */
const link: RedisOptions = {
  retryStrategy: () => null,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
  disableClientInfo: true
}

/** A server behind a proxy, and how often a push that lost its reply was executed. */
const lostReply = Effect.fnUntraced(function* (options: RedisOptions) {
  const server = yield* RedisServer.make()
  const proxy = yield* SwallowingProxy.make(server.port)
  const { redis } = yield* client(proxy.port, options)
  yield* settled(redis.ping())
  proxy.swallow("replies")
  const push = redis.lpush("list", "x")
  const length = server.connection.use((other) => other.llen("list"))
  yield* Effect.repeat(length, { until: (count) => count === 1 })
  proxy.swallow("nothing")
  proxy.cut()
  return { push, redis, length }
})

describe("ioredis", () => {
  it.scopedLive("sends a command twice where its reply was lost, unless told otherwise", () =>
    Effect.gen(function* () {
      const { push, length } = yield* lostReply({})
      expect(yield* settled(push)).toEqual({ value: 2 })
      expect(yield* length).toBe(2)
    })
  )

  it.scopedLive("rejects all in hand when the only link of a client ends, and sends nothing again", () =>
    Effect.gen(function* () {
      const { push, redis, length } = yield* lostReply(link)
      expect(yield* settled(push)).toEqual({ error: "Connection is closed." })
      expect(yield* length).toBe(1)
      expect(redis.status).toBe("end")
      expect(yield* settled(redis.ping())).toEqual({ error: "Connection is closed." })
    })
  )

  it.scopedLive("settles nothing by itself on a link that has fallen silent", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const proxy = yield* SwallowingProxy.make(server.port)
      const { redis } = yield* client(proxy.port, link)
      yield* settled(redis.ping())
      proxy.swallow("all")
      expect(yield* Effect.timeoutOption(settled(redis.ping()), "500 millis")).toMatchObject({ _tag: "None" })
      expect(redis.status).toBe("ready")
    })
  )

  it.scopedLive("rejects a command that Redis is still executing when it has a commandTimeout", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { redis } = yield* client(server.port, { ...link, commandTimeout: 100 })
      expect(yield* settled(redis.brpop("list", 60))).toEqual({ error: "Command timed out" })
      // And what arrives is popped for nobody.
      yield* server.connection.use((other) => other.lpush("list", "x"))
      expect(yield* server.connection.use((other) => other.llen("list"))).toBe(0)
    })
  )

  it.scopedLive("says nothing on a link of its own accord without a ready check and client information", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(ScriptedServer.polite("+PONG\r\n"))
      const { redis } = yield* client(server.port, link)
      expect(yield* settled(redis.ping())).toEqual({ value: "PONG" })
      // RESP2, for there is no HELLO.
      expect(server.received()).toBe("*1\r\n$4\r\nping\r\n")
    })
  )

  it.scopedLive("takes its socket from a Connector, and is ready when that is open", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(ScriptedServer.polite("+PONG\r\n"))
      const socket = yield* Effect.acquireRelease(
        Effect.async<Socket>((resume) => {
          const opened = dial(server.port, "127.0.0.1", () => resume(Effect.succeed(opened)))
        }),
        (opened) => Effect.sync(() => opened.destroy())
      )
      const { redis } = yield* client(1, {
        ...link,
        Connector: class extends AbstractConnector {
          constructor() {
            super(0)
          }
          override connect() {
            return Promise.resolve(socket)
          }
        }
      })
      // Its listener of data is there with the event, before any data is: it can be fenced in.
      const readers = yield* Effect.async<number>((resume) => {
        redis.once("connect", () => resume(Effect.succeed(socket.listenerCount("data"))))
      })
      expect(readers).toBe(1)
      expect(socket.bytesRead).toBe(0)
      expect(yield* settled(redis.ping())).toEqual({ value: "PONG" })
    })
  )

  it.scopedLive.each(["*4294967296\r\n", "*1\r\n".repeat(20_000)])("throws out of its parser at %j", (bytes) =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(() => undefined)
      const { redis } = yield* client(server.port, link)
      yield* Effect.async<void>((resume) => {
        redis.once("connect", () => resume(Effect.void))
      })
      const pending = redis.ping()
      expect(() => redis.stream.emit("data", Buffer.from(bytes))).toThrow(RangeError)
      redis.disconnect()
      yield* settled(pending)
    })
  )

  it.scopedLive("reports a reply that nobody waits for, with its text at the end", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(ScriptedServer.polite("+PONG\r\n+more\r\n-ERR more\r\n"))
      const { redis, errors } = yield* client(server.port, link)
      yield* settled(redis.ping())
      const words = "Command queue state error. If you can reproduce this, please report it. Last"
      expect(errors).toEqual([`${words} reply: more`, `${words} error: ERR more`])
    })
  )
})
