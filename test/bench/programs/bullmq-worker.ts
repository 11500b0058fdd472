/**
 * BullMQ: a worker on jobs that do nothing.
 */
import { Worker } from "bullmq"
import type { Args } from "../Payload.ts"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, job: kind, redisPort, slots, warmup } = Program.options<Program.WorkerOptions>()

const watch = new Stopwatch(count, warmup)

const runs = {
  NoOp: () => Promise.resolve(),
  Hang: () => new Promise<void>(() => {}),
  Latency: (subject: string) => {
    watch.lap(Number(subject), Program.now())
    if (watch.isFull) {
      Program.tell(watch.figures())
      process.exit()
    }
    return Promise.resolve()
  }
}

const worker = new Worker<Args>("bench", ({ data }) => runs[kind](data.subject), {
  connection: { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null },
  concurrency: slots
})
worker.on("error", (error) => process.stderr.write(`${error.message}\n`))
