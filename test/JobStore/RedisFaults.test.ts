/**
 * What the store on Redis promises beyond the contract: no answer of Redis loses a message.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { JobStore } from "../../src/JobStore.ts"
import type { RedisConnection } from "../../src/Redis/Connection.ts"
import type * as Url from "../../src/Redis/Url.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { letter } from "./contract.ts"

const store = (port: number, credentials: Partial<Url.RedisAddress> = {}) =>
  RedisStore.layer({
    queueName: "huey",
    lease: Duration.seconds(30),
    scheduleOffset: () => 0,
    block: Option.some(5)
  }).pipe(Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0, ...credentials })))

/** Of a user whose rights a test takes away. */
const asWorker = (port: number) => store(port, { username: "worker", password: Redacted.make("pw") })

/** Gives that user all rights, but what follows. */
const mayAll = ({ use }: RedisConnection, ...rules: ReadonlyArray<string>) =>
  use((client) => client.call("ACL", "SETUSER", "worker", "reset", "on", ">pw", "~*", "+@all", ...rules))

const exchange = Effect.flatMap(JobStore, (it) => it.exchange([], 8))

const texts = Effect.map(exchange, ({ grants }) => grants.map(({ bytes }) => Buffer.from(bytes).toString()))

const own = (name: string) => `{huey.redis.huey}:q:${name}`

describe("JobStore.Redis", () => {
  it.scopedLive("takes nothing while a key of its own is another program's, and all of it afterwards", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const names = ["arrived", "job", "meta", "history", "inflight", "delayed", "dead", "seen", "counters"]
      for (const name of names) {
        yield* use((client) => client.flushall())
        yield* use((client) => client.set(own(name), "x"))
        yield* use((client) => client.lpush("huey.redis.huey", "a", "b"))
        yield* Effect.gen(function* () {
          for (let time = 0; time < 3; time++) {
            const error = yield* Effect.flip(exchange)
            expect(error.message).toContain(`WRONGTYPE ${own(name)} is a string, not a `)
          }
          expect(yield* use((client) => client.lrange("huey.redis.huey", 0, -1))).toEqual(["b", "a"])
          yield* use((client) => client.del(own(name)))
          expect(yield* texts).toEqual(["a", "b"])
        }).pipe(Effect.provide(store(port)))
      }
    })
  )

  it.scopedLive("loses nothing where an ACL denies a command in the middle of the script", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const as = asWorker(port)
      for (const denied of ["hset", "hincrby", "zadd", "ltrim", "hdel", "zrem", "zcard", "xrange", "zscore"]) {
        yield* use((client) => client.flushall())
        yield* mayAll(connection, `-${denied}`)
        yield* use((client) => client.lpush("huey.redis.huey", "a"))
        const error = yield* Effect.flip(Effect.provide(exchange, as))
        expect(error.reason).toBe("Refused")
        // And makes no copy at each try.
        expect(yield* use((client) => client.hlen(own("job")))).toBe(0)
        expect(yield* use((client) => client.lrange("huey.redis.huey", 0, -1))).toEqual(["a"])
      }
      yield* use((client) => client.call("ACL", "SETUSER", "worker", "+@all"))
      expect(yield* Effect.provide(texts, as)).toEqual(["a"])
    })
  )

  it.scopedLive("loses nothing where a right is taken away meanwhile, and copies no message twice", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      for (const denied of ["hset", "hincrby", "zadd", "ltrim", "zrem", "zscore"]) {
        yield* use((client) => client.flushall())
        yield* mayAll(connection)
        yield* Effect.gen(function* () {
          yield* use((client) => client.lpush("huey.redis.huey", "first"))
          expect(yield* texts).toEqual(["first"])
          yield* use((client) => client.lpush("huey.redis.huey", "a"))
          yield* use((client) => client.call("ACL", "SETUSER", "worker", `-${denied}`))
          for (let time = 0; time < 3; time++) expect((yield* Effect.flip(exchange)).reason).toBe("Refused")
          expect(yield* use((client) => client.lrange("huey.redis.huey", 0, -1))).toEqual(["a"])
          const copies = yield* use((client) => client.hvals(own("job")))
          expect(copies.filter((bytes) => bytes === "a").length).toBeLessThanOrEqual(1)
        }).pipe(Effect.provide(asWorker(port)))
      }
    })
  )

  it.scopedLive("leaves nothing of a message behind that was copied when something broke meanwhile", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const right = (right: string) => use((client) => client.call("ACL", "SETUSER", "worker", right))
      const faults = [
        ...["hset", "zadd", "ltrim"].map((name) => ({ begin: right(`-${name}`), end: right(`+${name}`) })),
        ...["job", "meta", "inflight"].map((name) => ({
          begin: use((client) => client.set(own(name), "x")),
          end: use((client) => client.del(own(name)))
        }))
      ]
      const done = Effect.gen(function* () {
        const it = yield* JobStore
        const { grants } = yield* it.exchange([], 8)
        yield* it.exchange(
          grants.map(({ lease }) => ({ _tag: "Done", lease })),
          0
        )
        return grants.map(({ bytes }) => Buffer.from(bytes).toString())
      })
      for (const { begin, end } of faults) {
        yield* use((client) => client.flushall())
        yield* mayAll(connection)
        yield* Effect.gen(function* () {
          yield* use((client) => client.lpush("huey.redis.huey", "first"))
          expect(yield* done).toEqual(["first"])
          yield* use((client) => client.lpush("huey.redis.huey", "a"))
          yield* begin
          // The exchange behind a wake-up call does not check keys and rights again so soon.
          const { arrival } = yield* JobStore
          expect((yield* Effect.flip(arrival(8))).reason).toBe("Refused")
          yield* end
          const leases = yield* use((client) => client.zrange(own("inflight"), 0, -1))
          for (const id of leases) yield* use((client) => client.zadd(own("inflight"), 1, id))
          // What was copied may be granted for its copy as well.
          expect(new Set([...(yield* done), ...(yield* done)])).toEqual(new Set(["a"]))
          for (const name of ["job", "meta", "inflight", "delayed", "arrived"]) {
            expect(yield* use((client) => client.exists(own(name)))).toBe(0)
          }
        }).pipe(Effect.provide(asWorker(port)))
      }
    })
  )

  it.scopedLive("leaves nothing behind of a job that ended when nothing could be removed", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const right = (right: string) => use((client) => client.call("ACL", "SETUSER", "worker", right))
      yield* mayAll(connection)
      yield* Effect.gen(function* () {
        const { exchange } = yield* JobStore
        yield* use((client) => client.lpush("huey.redis.huey", "a"))
        const [grant] = (yield* exchange([], 1)).grants
        if (grant === undefined) return yield* Effect.fail("one")
        for (const _tag of ["Done", "Dead"] as const) {
          yield* right("-hdel")
          const settlement = { _tag, lease: grant.lease, letter }
          expect((yield* Effect.flip(exchange([settlement], 1))).reason).toBe("Refused")
          yield* right("+hdel")
        }
        // Its worker dies before it can tell that once more.
        yield* use((client) => client.zadd(own("inflight"), "XX", 1, grant.lease.id))
        const [again] = (yield* exchange([], 1)).grants
        if (again === undefined) return yield* Effect.fail("again")
        yield* exchange([{ _tag: "Done", lease: again.lease }], 1)
        for (const name of ["job", "meta", "history", "inflight", "delayed"]) {
          expect(yield* use((client) => client.exists(own(name)))).toBe(0)
        }
      }).pipe(Effect.provide(asWorker(port)))
    })
  )

  it.scopedLive("takes, extends and settles while Redis is at its maxmemory", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make(["--maxmemory-policy", "noeviction"])
      const { use } = connection
      yield* use((client) => client.lpush("huey.redis.huey", "a", "b", "c"))
      yield* Effect.gen(function* () {
        const { exchange, extend, counts } = yield* JobStore
        yield* exchange([], 0)
        yield* use((client) => client.config("SET", "maxmemory", "1"))
        const { grants } = yield* exchange([], 3)
        const [done, retry, dead] = grants.map(({ lease }) => lease)
        if (done === undefined || retry === undefined || dead === undefined) return yield* Effect.fail("three")
        expect(yield* extend([done, retry, dead])).toEqual([true, true, true])
        const { settled } = yield* exchange(
          [
            { _tag: "Done", lease: done },
            { _tag: "Retry", lease: retry, delay: 60_000, counted: true, bytes: Buffer.from("rest") },
            { _tag: "Dead", lease: dead, letter }
          ],
          0
        )
        expect(settled).toEqual([true, true, true])
        expect(yield* counts).toEqual({ waiting: 0, scheduled: 0, inHand: 0, retrying: 1, dead: 1 })
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("takes what huey scheduled when it is due", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const now = Date.parse("2020-01-01") / 1_000
      yield* use((client) => client.zadd("huey.schedule.huey", now, "due", 4_000_000_000, "not due"))
      yield* Effect.provide(
        Effect.gen(function* () {
          expect(yield* texts).toEqual(["due"])
          expect(yield* texts).toEqual([])
        }),
        store(port)
      )
      expect(yield* use((client) => client.zrange("huey.schedule.huey", 0, -1))).toEqual(["not due"])
    })
  )

  it.scopedLive("works on a Redis of version 6.0, which has neither BLMOVE nor LMOVE, and puts back what moved", () =>
    Effect.gen(function* () {
      const renamed = ["BLMOVE", "LMOVE"].flatMap((name) => ["--rename-command", name, ""])
      const { connection, port } = yield* RedisServer.make(renamed)
      const { use } = connection
      yield* use((client) => client.lpush("huey.redis.huey", "a", "b", "c", "d"))
      yield* Effect.gen(function* () {
        const { arrival, drain, exchange } = yield* JobStore
        // The first one learns that there is no BLMOVE.
        yield* Effect.replicateEffect(arrival(0), 3)
        const { grants } = yield* exchange([], 1)
        expect(grants.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["a"])
        expect(yield* drain({ force: false })).toEqual({ arrived: 1, inHand: 1, due: 0, later: 0 })
        yield* arrival(0)
      }).pipe(Effect.provide(store(port)))
      expect(yield* use((client) => client.lrange("huey.redis.huey", 0, -1))).toEqual(["d", "c", "b", "a"])
    })
  )

  it.scopedLive("never takes from another database than the one it was given", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make(["--databases", "2"])
      yield* connection.use((client) => client.lpush("huey.redis.huey", "a"))
      const error = yield* Effect.flip(Effect.provide(exchange, store(port, { db: 7 })))
      expect(error.message).toBe("Redis answers ERR DB index is out of range")
      // The connection is tried anew all the time; none of them may take it.
      const again = Effect.flip(exchange).pipe(Effect.repeat(Schedule.recurs(5)))
      yield* Effect.provide(again, store(port, { db: 7 }))
      expect(yield* connection.use((client) => client.llen("huey.redis.huey"))).toBe(1)
    })
  )
})
