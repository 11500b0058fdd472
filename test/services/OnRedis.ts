/**
 * A worker of this process on a real Redis, with a job that says when it is begun, and its log.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import type * as Url from "../../src/Redis/Url.ts"
import * as Redis from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { logging } from "./TestWorker.ts"

/** How it is set up. */
export interface Options {
  /** Where the worker finds Redis; a proxy, say. */
  readonly worker: Url.RedisAddress
  /** Where the producer finds it. */
  readonly producer: Url.RedisAddress
  readonly lease?: Duration.DurationInput
  readonly block?: Option.Option<number>
}

/** Starts it. `enqueue` puts one text on the queue, `next` waits until one is begun. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { layer: logger, lines } = logging()
  const seen = yield* Queue.unbounded<string>()
  const job = Job.make({
    name: "test.echo",
    params: ["text"],
    args: Schema.Struct({ text: Schema.String }),
    run: ({ text }) => Effect.asVoid(Queue.offer(seen, text))
  })
  const store = RedisStore.layer({
    queueName: "huey",
    lease: Duration.decode(options.lease ?? "30 seconds"),
    scheduleOffset: () => 0,
    block: options.block ?? Option.some(5)
  }).pipe(Layer.provide(Redis.layer(options.worker)))
  const producer = RedisQueue.layer({ queueName: "huey", codec: Huey.make() }).pipe(
    Layer.provide(Redis.layer(options.producer))
  )
  const context = yield* Layer.build(
    Layer.merge(producer, Worker.layer(Job.jobs(job)).pipe(Layer.provide(store), Layer.provide(logger)))
  )
  return {
    lines,
    next: Queue.take(seen),
    isTaking: (within?: Duration.DurationInput) =>
      Effect.provide(
        Effect.flatMap(Worker.Worker, (worker) => worker.isTaking(within)),
        context
      ),
    enqueue: (text: string) =>
      Effect.provide(
        Effect.flatMap(JobQueue, (queue) => queue.enqueue(job, { text })),
        context
      )
  }
})
