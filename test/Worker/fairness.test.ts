/**
 * Fresh one-time codes before a backlog: what is enqueued now does not wait behind what has failed before.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import * as Keys from "../../src/Redis/keys.ts"
import * as Redis from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import * as RedisServer from "../services/RedisServer.ts"

const codec = Huey.make()
const keys = Keys.make("huey")
const backlog = 50_000
const slots = 8

/** Due retries, as a worker leaves them. */
const fill = Effect.fnUntraced(function* ({ use }: RedisServer.Server["connection"]) {
  const bytes = Buffer.from(
    yield* codec.encode(Huey.message({ id: "old", name: "test.fair", call: { args: ["old"], kwargs: {} } }))
  )
  const chunk = 5_000
  for (let start = 1; start <= backlog; start += chunk) {
    const ids = Array.from({ length: chunk }, (_, index) => `${start + index}:retry`)
    const each = <A>(value: A) => ids.flatMap((id) => [id, value])
    yield* use((client) => client.hset(keys.job, ...each(bytes)))
    yield* use((client) => client.hset(keys.meta, ...each(`|0|1|${Date.parse("2026-01-01")}`)))
    yield* use((client) => client.zadd(keys.delayed, ...ids.flatMap((id) => [1, id])))
  }
  yield* use((client) => client.hset(keys.counters, "served", 1, "sequence", backlog))
})

describe("a worker with 50 000 due retries", () => {
  it.scopedLive(
    "begins a fresh job after few of them, however many there are",
    () =>
      Effect.gen(function* () {
        const { connection, port } = yield* RedisServer.make()
        yield* fill(connection)
        let begun = 0
        const fresh = yield* Queue.unbounded<number>()
        const job = Job.make({
          name: "test.fair",
          params: ["text"],
          args: Schema.Struct({ text: Schema.String }),
          run: ({ text }) => {
            begun += 1
            return text === "old" ? Effect.yieldNow() : Effect.asVoid(Queue.offer(fresh, begun))
          }
        })
        const redis = Redis.layer({ host: "127.0.0.1", port, db: 0 })
        const store = RedisStore.layer({
          queueName: "huey",
          lease: Duration.seconds(30),
          scheduleOffset: () => 0,
          block: Option.some(5)
        })
        yield* Effect.gen(function* () {
          const queue = yield* JobQueue
          const worker = yield* Effect.fork(Worker.run(Job.jobs(job), { slots }))
          const waits: Array<number> = []
          for (let turn = 0; turn < 200; turn++) {
            yield* queue.enqueue(job, { text: "fresh" })
            const before = begun
            waits.push((yield* Queue.take(fresh)) - before)
          }
          // The backlog was there all the time.
          expect(yield* connection.use((client) => client.zcard(keys.delayed))).toBeGreaterThan(slots)
          yield* Fiber.interrupt(worker)
          const [p99 = 0] = waits.sort((a, b) => a - b).slice(Math.floor(waits.length * 0.99) - 1)
          // Two turns of all slots: some milliseconds, where each attempt takes one.
          expect(p99).toBeLessThanOrEqual(4 * slots)
        }).pipe(
          Effect.provide(Layer.merge(store, RedisQueue.layer({ queueName: "huey", codec })).pipe(Layer.provide(redis))),
          Effect.provide(Logger.remove(Logger.defaultLogger))
        )
      }),
    60_000
  )
})
