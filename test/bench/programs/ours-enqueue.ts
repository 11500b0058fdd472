/**
 * Ours: an MFA server that enqueues mails one after another.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobQueue, Redis, RedisQueue, SendEmail } from "../../../src/index.ts"
import * as Payload from "../Payload.ts"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, pause, redisPort, warmup } = Program.options<Program.EnqueueOptions>()

const args = Payload.args(10_025)

const main = Effect.gen(function* () {
  const { enqueue } = yield* JobQueue.JobQueue
  const watch = new Stopwatch(count, warmup)
  while (!watch.isFull) {
    const began = performance.now()
    yield* enqueue(SendEmail.job, pause === undefined ? args : { ...args, subject: String(Program.now()) })
    watch.lap(began, performance.now())
    if (pause !== undefined) yield* Effect.sleep(pause)
  }
  Program.tell(watch.figures())
})

const queue = Layer.unwrapEffect(Effect.map(RedisQueue.config, RedisQueue.layer)).pipe(
  Layer.provide(Redis.layer({ host: "127.0.0.1", port: redisPort, db: 0 }))
)

Effect.runPromise(Effect.provide(main, queue).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))))
