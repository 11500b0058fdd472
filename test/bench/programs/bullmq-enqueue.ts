/**
 * BullMQ: a server that adds the same jobs, as JSON, one after another.
 */
import { setTimeout } from "node:timers/promises"
import { Queue } from "bullmq"
import * as Payload from "../Payload.ts"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, pause, redisPort, warmup } = Program.options<Program.EnqueueOptions>()

const args = Payload.args(10_025)
const queue = new Queue("bench", { connection: { host: "127.0.0.1", port: redisPort } })
const watch = new Stopwatch(count, warmup)
await queue.waitUntilReady()
while (!watch.isFull) {
  const began = performance.now()
  const job = pause === undefined ? args : { ...args, subject: String(Program.now()) }
  await queue.add("mail", job, { removeOnComplete: true })
  watch.lap(began, performance.now())
  if (pause !== undefined) await setTimeout(pause)
}
Program.tell(watch.figures())
await queue.close()
