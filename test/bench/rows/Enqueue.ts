/**
 * One caller that enqueues one mail after another; a tenth of them warms up and does not count.
 */
import * as Effect from "effect/Effect"
import type { EnqueueOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"

/** A producer's side of `count` jobs; `aof`: onto a Redis that keeps a file. */
export const side = (name: string, program: string, aof = false): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis(aof)
    // Of half as many, one in a hundred is slow because V8 has not compiled yet what it calls, on either side.
    const count = yield* Stage.count({ Full: 40_000, Quick: 5_000, Tiny: 50 })
    const options: EnqueueOptions = { redisPort: redis.port, count, warmup: count / 10 }
    return yield* (yield* Stage.program(program, options)).figures
  })
})

export const row: Row = {
  name: "enqueue",
  title: "enqueue, one caller",
  sides: [side("ours", "ours-enqueue"), side("BullMQ add", "bullmq-enqueue"), side("bare LPUSH", "bare-enqueue")],
  comparisons: [
    compare("throughput", "rate", ["ours", "BullMQ add"], { better: "higher", bar: 1.4, aim: 1.8 }),
    compare("throughput", "rate", ["ours", "bare LPUSH"], { better: "higher", bar: 0.7, aim: 0.85 }),
    compare("p50", "p50", ["ours", "BullMQ add"], { better: "lower", bar: 0.75, aim: 0.6 }),
    compare("p99", "p99", ["ours", "BullMQ add"], { better: "lower", bar: 0.6, aim: 0.35 })
  ]
}
