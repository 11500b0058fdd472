/**
 * The limit: LPUSH of ready bytes as many as a message has, one after another.
 */
import { Redis } from "ioredis"
import * as Payload from "../Payload.ts"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, redisPort, warmup } = Program.options<Program.EnqueueOptions>()

const message = Buffer.alloc(Payload.messageBytes, "x")
const redis = new Redis({ host: "127.0.0.1", port: redisPort })
const watch = new Stopwatch(count, warmup)
await redis.ping()
while (!watch.isFull) {
  const began = performance.now()
  await redis.lpush("bench", message)
  watch.lap(began, performance.now())
}
Program.tell(watch.figures())
redis.disconnect()
