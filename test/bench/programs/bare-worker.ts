/**
 * The limit: a loop of one script that acknowledges 32 jobs and takes 32, and reads them as JSON. At least once, without
 * retries, a schedule or a way back from a crash: a bound, not a product.
 */
import { Redis } from "ioredis"
import * as Program from "./Program.ts"

const { redisPort } = Program.options<Program.WorkerOptions>()

const atOnce = 32

const script = `
if #ARGV > 1 then redis.call('HDEL', KEYS[2], unpack(ARGV, 2)) end
local jobs = redis.call('RPOP', KEYS[1], ARGV[1])
if not jobs then return {} end
local last = redis.call('INCRBY', KEYS[3], #jobs)
local held = {}
for i, job in ipairs(jobs) do
  held[#held + 1] = last - i
  held[#held + 1] = job
end
redis.call('HSET', KEYS[2], unpack(held))
return held
`

const redis = new Redis({ host: "127.0.0.1", port: redisPort })
const sha = String(await redis.script("LOAD", script))
let done: ReadonlyArray<string> = []
for (;;) {
  const reply = await redis.evalsha(sha, 3, "bench", "bench:held", "bench:last", atOnce, ...done)
  const held = Array.isArray(reply) ? reply.map(String) : []
  for (let index = 1; index < held.length; index += 2) JSON.parse(held[index] ?? "")
  done = held.filter((_, index) => index % 2 === 0)
  if (done.length === 0) break
}
// Its parent sees from Redis that all is done, and ends it.
setInterval(() => {}, 60_000)
