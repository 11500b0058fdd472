/**
 * What the store on Redis does while there is nothing to take: it waits behind a wake-up call, and asks little.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { type Grant, JobStore, suspectFrom } from "../../src/JobStore.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisServer from "../services/RedisServer.ts"

const store = (port: number, block: Option.Option<number> = Option.some(5)) =>
  RedisStore.layer({ queueName: "huey", lease: Duration.seconds(30), scheduleOffset: () => 0, block }).pipe(
    Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 }))
  )

const text = ({ bytes }: Grant) => Buffer.from(bytes).toString()

/** How often each command was called, those of scripts included. */
const calls = ({ connection: { use } }: RedisServer.Server) =>
  Effect.map(
    use((client) => client.info("commandstats")),
    (info) =>
      new Map([...info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, count]) => [name, Number(count)]))
  )

describe("JobStore.Redis, an arrival", () => {
  it.scopedLive("is granted with what came beside it, by the exchange behind the wake-up call", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* Effect.gen(function* () {
        const { arrival, exchange } = yield* JobStore
        const waiting = yield* Effect.fork(arrival(2))
        yield* Effect.repeat(RedisServer.blocked(server), { until: (count) => count === 1 })
        yield* use((client) => client.lpush("huey.redis.huey", "a", "b", "c"))
        const granted = yield* Fiber.join(waiting)
        expect(granted?.grants.map(text)).toEqual(["a", "b"])
        expect((yield* exchange([], 8)).grants.map(text)).toEqual(["c"])
      }).pipe(Effect.provide(store(server.port)))
    })
  )

  it.scopedLive("goes to others where the wait for it was interrupted", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        const { arrival, exchange } = yield* JobStore
        const waiting = yield* Effect.fork(arrival(2))
        yield* Effect.repeat(RedisServer.blocked(server), { until: (count) => count === 1 })
        yield* Fiber.interrupt(waiting)
        yield* Effect.repeat(RedisServer.blocked(server), { until: (count) => count === 0 })
        yield* server.connection.use((client) => client.lpush("huey.redis.huey", "a"))
        expect((yield* exchange([], 1)).grants.map(text)).toEqual(["a"])
      }).pipe(Effect.provide(store(server.port, Option.some(60))))
    })
  )

  it.scopedLive("is taken by nobody where Redis refuses the wake-up call, whose answer nobody hears", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* use((client) => client.call("ACL", "SETUSER", "default", "-blmove"))
      yield* use((client) => client.lpush("huey.redis.huey", "a"))
      yield* Effect.gen(function* () {
        const { arrival, counts, exchange } = yield* JobStore
        expect((yield* Effect.flip(arrival(2))).detail).toMatch(/NOPERM|permissions/)
        expect(yield* counts).toMatchObject({ waiting: 1, inHand: 0 })
        expect((yield* exchange([], 2)).grants.map(text)).toEqual(["a"])
      }).pipe(Effect.provide(store(server.port)))
    })
  )

  it.scopedLive("says that an exchange is due where a suspect waits, whom it does not grant", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* Effect.gen(function* () {
        const { arrival, exchange } = yield* JobStore
        yield* use((client) => client.lpush("huey.redis.huey", "suspect"))
        for (let delivery = 1; delivery < suspectFrom; delivery++) {
          const [grant] = (yield* exchange([], 1)).grants
          expect(grant?.deliveries).toBe(delivery)
          // Its worker has died.
          yield* use((client) => client.zadd("{huey.redis.huey}:q:inflight", 1, grant?.lease.id ?? ""))
          yield* exchange([], 0)
        }
        yield* use((client) => client.lpush("huey.redis.huey", "other"))
        const arrived = yield* arrival(2)
        expect(arrived?.grants.map(text)).toEqual(["other"])
        expect(arrived?.nextDueIn).toBe(0)
        expect((yield* exchange([], 2)).grants.map(text)).toEqual(["suspect"])
      }).pipe(Effect.provide(store(server.port)))
    })
  )

  it.scopedLive("is a hint to exchange where the worker polls", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const arrived = yield* Effect.provide(
        Effect.flatMap(JobStore, ({ arrival }) => arrival(1)),
        store(port, Option.none())
      )
      expect(arrived).toBeUndefined()
    })
  )
})

describe("JobStore.Redis, an exchange with nothing to take", () => {
  it.scopedLive("asks Redis for its time and whether there is any work, and misses none of it", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* Effect.gen(function* () {
        const { exchange } = yield* JobStore
        // The first one of a store is a whole one.
        yield* exchange([], 8)
        const before = yield* calls(server)
        const glance = yield* exchange([], 8)
        const after = yield* calls(server)
        expect(glance).toMatchObject({ settled: [], grants: [], buried: [], duplicates: 0, nextDueIn: undefined })
        expect(Math.abs(glance.now - Date.now())).toBeLessThan(60_000)
        const called = [...after].filter(([name, count]) => count !== (before.get(name) ?? 0)).map(([name]) => name)
        expect(called.filter((name) => name !== "info").sort()).toEqual(["evalsha", "exists", "time"])
        yield* use((client) => client.zadd("huey.schedule.huey", Date.now() / 1_000 + 60, "later"))
        expect((yield* exchange([], 8)).nextDueIn).toBeGreaterThan(0)
        yield* use((client) => client.zadd("huey.schedule.huey", 1, "due"))
        const { grants } = yield* exchange([], 8)
        expect(grants.map(text)).toEqual(["due"])
        yield* use((client) => client.del("huey.schedule.huey"))
        // In hand of somebody: a lease may end.
        expect((yield* exchange([], 8)).nextDueIn).toBeGreaterThan(0)
      }).pipe(Effect.provide(store(server.port)))
    })
  )

  it.scopedLive("tries all that it needs once a sign of life was refused", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* Effect.gen(function* () {
        const { exchange, extend } = yield* JobStore
        yield* exchange([], 8)
        yield* use((client) => client.call("REPLICAOF", "127.0.0.1", "1"))
        yield* exchange([], 8)
        expect((yield* Effect.flip(extend([]))).detail).toContain("READONLY")
        expect((yield* Effect.flip(exchange([], 8))).detail).toContain("READONLY")
      }).pipe(Effect.provide(store(server.port, Option.none())))
    })
  )
})
