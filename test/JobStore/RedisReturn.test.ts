/**
 * The way back to huey's keys where it is not smooth: beside workers that live, ended in the middle, beside a producer.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { JobStore, type Settlement } from "../../src/JobStore.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisServer from "../services/RedisServer.ts"

const list = "huey.redis.huey"

/** `lease` in seconds. */
const store = (port: number, lease = 30) =>
  RedisStore.layer({
    queueName: "huey",
    lease: Duration.seconds(lease),
    scheduleOffset: () => 7_200,
    block: Option.none()
  }).pipe(Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 })))

const on = <A, E>(layer: ReturnType<typeof store>, effect: Effect.Effect<A, E, JobStore>) =>
  Effect.provide(effect, layer)

const exchange = (settlements: ReadonlyArray<Settlement>, free: number) =>
  Effect.flatMap(JobStore, (it) => it.exchange(settlements, free))

const drain = (force = false) => Effect.flatMap(JobStore, (it) => it.drain({ force }))

const names = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`)

describe("the way back to huey's keys", () => {
  it.scopedLive("is closed beside a worker that lives, and open when it has stopped", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      yield* use((client) => client.lpush(list, "a", "b"))
      yield* on(
        store(port),
        Effect.gen(function* () {
          const { admit, extend, workers } = yield* JobStore
          expect(yield* workers).toBe(0)
          yield* admit(0, undefined)
          yield* exchange([], 1)
          const refused = yield* Effect.flip(on(store(port), drain()))
          expect(refused).toMatchObject({ _tag: "WorkersAlive", workers: 1 })
          // A sign of life without a job in hand counts as well.
          yield* on(store(port), Effect.zipRight(extend([]), Effect.flip(drain())))
          expect(yield* use((client) => client.lrange(list, 0, -1))).toEqual(["b"])
        })
      )
      expect(yield* on(store(port), drain())).toEqual({ arrived: 0, inHand: 1, due: 0, later: 0 })
      expect(yield* use((client) => client.lrange(list, 0, -1))).toEqual(["b", "a"])
    })
  )

  it.scopedLive("opens by itself when the lease of a killed worker has ended", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      yield* use((client) => client.lpush(list, "a"))
      const worker = "{huey.redis.huey}:q:workers"
      yield* on(
        store(port, 1),
        Effect.gen(function* () {
          const { admit, workers } = yield* JobStore
          yield* admit(0, undefined)
          yield* exchange([], 1)
          const [name = ""] = yield* use((client) => client.zrange(worker, 0, -1))
          expect(yield* workers).toBe(1)
          yield* Effect.repeat(workers, { until: (alive) => alive === 0 })
          // The time is Redis' own, and the sign of life ends with the lease.
          const [ended = "0"] = yield* use((client) =>
            client.zrange("{huey.redis.huey}:q:inflight", 0, -1, "WITHSCORES")
          ).pipe(Effect.map((pairs) => pairs.slice(1)))
          const until = yield* use((client) => client.zscore(worker, name))
          expect(Math.abs(Number(until) - Number(ended))).toBeLessThan(500)
          expect(yield* on(store(port), drain())).toMatchObject({ inHand: 1 })
        })
      )
      expect(yield* use((client) => client.lrange(list, 0, -1))).toEqual(["a"])
    })
  )

  it.scopedLive("by force takes out of a live worker's hand what it then cannot settle", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      yield* use((client) => client.lpush(list, "a", "b"))
      yield* on(
        store(port),
        Effect.gen(function* () {
          const { admit, extend } = yield* JobStore
          yield* admit(0, undefined)
          const { grants } = yield* exchange([], 2)
          expect(yield* on(store(port), drain(true))).toEqual({ arrived: 0, inHand: 2, due: 0, later: 0 })
          expect(yield* extend(grants.map(({ lease }) => lease))).toEqual([false, false])
          const done = grants.map(({ lease }): Settlement => ({ _tag: "Done", lease }))
          expect((yield* exchange(done, 0)).settled).toEqual([false, false])
        })
      )
      expect(yield* use((client) => client.lrange(list, 0, -1))).toEqual(["b", "a"])
    })
  )

  it.scopedLive("ended in the middle goes on at the next call, in order, beside a producer", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const all = names(1_300)
      yield* use((client) => client.lpush(list, ...all))
      yield* on(
        store(port),
        Effect.gen(function* () {
          const { drain, exchange, counts } = yield* JobStore
          const { grants } = yield* exchange([], all.length)
          // Every third is to be tried later.
          const later = grants.filter((_, index) => index % 3 === 0)
          yield* exchange(
            later.map(({ lease }) => ({ _tag: "Retry", lease, delay: 60_000, counted: true })),
            0
          )
          let fresh = 0
          const steps: Array<number> = []
          const ended = yield* Effect.exit(
            drain({
              force: false,
              onProgress: (_, left) =>
                Effect.sync(() => steps.push(left)).pipe(
                  Effect.zipRight(use((client) => client.lpush(list, `fresh ${++fresh}`))),
                  Effect.zipRight(Effect.suspend(() => (steps.length === 2 ? Effect.interrupt : Effect.void))),
                  Effect.orDie
                )
            })
          )
          expect(ended._tag).toBe("Failure")
          expect(steps).toEqual([800, 300])
          expect(yield* drain({ force: false })).toEqual({ arrived: 0, inHand: 200, due: 0, later: 100 })
          expect(yield* counts).toMatchObject({ waiting: 866 + 2, scheduled: 434, inHand: 0, retrying: 0 })
        })
      )
      const waiting = yield* use((client) => client.lrange(list, 0, -1))
      const oldestFirst = [...waiting].reverse()
      expect(oldestFirst).toEqual([...all.filter((_, index) => index % 3 !== 0), "fresh 1", "fresh 2"])
      const scheduled = yield* use((client) => client.zrange("huey.schedule.huey", 0, -1, "WITHSCORES"))
      const members = scheduled.filter((_, index) => index % 2 === 0)
      expect(members.sort()).toEqual(all.filter((_, index) => index % 3 === 0).sort())
      // huey's scores are shifted by the time zone.
      expect(Math.abs(Number(scheduled[1]) - 7_200 - 60 - Date.now() / 1_000)).toBeLessThan(30)
    })
  )

  it.scopedLive("shows some of the messages and leaves them where they are", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const all = names(10)
      yield* use((client) => client.lpush(list, ...all))
      yield* use((client) => client.zadd("huey.schedule.huey", 4e9, "later"))
      yield* on(
        store(port),
        Effect.gen(function* () {
          const { counts, exchange, peek } = yield* JobStore
          const { grants } = yield* exchange([], 3)
          const [first] = grants
          if (first === undefined) return yield* Effect.dieMessage("nothing was granted")
          yield* exchange([{ _tag: "Retry", lease: first.lease, delay: 60_000, counted: true }], 0)
          const before = yield* counts
          const look = (...args: Parameters<typeof peek>) =>
            Effect.map(peek(...args), (found) => found.map((bytes) => Buffer.from(bytes).toString()))
          expect(yield* look("waiting", 1)).toEqual(["message 3"])
          expect(yield* look("waiting", 5)).toEqual(["message 3", "message 4", "message 5", "message 9", "message 8"])
          expect((yield* look("waiting", 100)).sort()).toEqual(all.slice(3))
          expect(yield* look("retrying", 5)).toEqual(["message 0"])
          expect((yield* look("inHand", 5)).sort()).toEqual(["message 1", "message 2"])
          expect(yield* look("scheduled", 5)).toEqual(["later"])
          expect(yield* look("waiting", 0)).toEqual([])
          expect(yield* counts).toEqual(before)
          // What the wake-up moved is older than the rest.
          yield* use((client) => client.lmove(list, "{huey.redis.huey}:q:arrived", "RIGHT", "LEFT"))
          expect(yield* look("waiting", 4)).toEqual(["message 3", "message 4", "message 9", "message 8"])
          expect((yield* look("waiting", 7)).sort()).toEqual(all.slice(3))
        })
      )
    })
  )
})
