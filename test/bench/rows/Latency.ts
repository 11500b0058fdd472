/**
 * From the call that enqueues to the start of the attempt, on an idle queue: one job each 15 ms, into a worker that waits.
 */
import * as Effect from "effect/Effect"
import * as Draining from "../Draining.ts"
import type { EnqueueOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"
import { bullmq, ours, type Peer, start } from "./NoOp.ts"

/** Milliseconds between two jobs: longer than one takes. */
const pause = 15

const side = (name: string, peer: Peer, producer: string): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const count = yield* Stage.count({ Full: 1_000, Quick: 200, Tiny: 20 })
    const warmup = count / 10
    const produce = (jobs: number) =>
      Effect.gen(function* () {
        const options: EnqueueOptions = { redisPort: redis.port, count: jobs, warmup: 0, pause }
        return yield* (yield* Stage.program(producer, options)).figures
      })
    // The first comes before the others, to see that the worker takes.
    const worker = yield* start(peer.program, redis, 8, { job: "Latency", count, warmup: warmup + 1 })
    yield* worker.whileAlive(produce(1))
    yield* worker.whileAlive(Draining.until(peer.waiting(redis).left, (left) => left === 0))
    yield* produce(warmup + count)
    return yield* worker.figures
  })
})

export const row: Row = {
  name: "latency",
  title: "enqueue to start of attempt, idle queue",
  sides: [side("ours", ours, "ours-enqueue"), side("BullMQ", bullmq, "bullmq-enqueue")],
  comparisons: [
    compare("p50", "p50", ["ours", "BullMQ"], { better: "lower", bar: 1, aim: 0.8 }),
    compare("p99", "p99", ["ours", "BullMQ"], { better: "lower", bar: 0.9, aim: 0.6 })
  ]
}
