/**
 * Puts jobs on the queues of the sides, and sees from Redis how many are left.
 */
import { Queue } from "bullmq"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Huey from "../../src/Huey.ts"
import * as JobId from "../../src/JobId.ts"
import * as Keys from "../../src/Redis/keys.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { Server } from "../services/RedisServer.ts"
import { BenchError } from "./BenchError.ts"
import type { Args } from "./Payload.ts"
import type { Figures } from "./Row.ts"

/** A queue of one side, filled and watched from outside. */
export interface Waiting {
  /** Puts as many copies of the job on the queue; each is a job of its own. */
  readonly fill: (count: number, args: Args) => Effect.Effect<void>
  /** Jobs that have not ended. */
  readonly left: Effect.Effect<number>
  /** Jobs that have ended without being done. */
  readonly dead: Effect.Effect<number>
}

/** The end of an id of a job, a number here, which makes each message one of its own. */
const numberLength = 12

/** A message in two parts, between which stands the end of its id. */
const template = Effect.fnUntraced(function* (args: Args) {
  const { config, recipient, subject, body, sender, reply_to, mimetype } = args
  const id = yield* JobId.make
  const call = { args: [config, recipient, subject, body, sender, reply_to, mimetype], kwargs: {} }
  const message = Huey.message({ id, name: SendEmail.job.names[0], call })
  const bytes = Buffer.from(Either.getOrThrow(Huey.make().encode(message)))
  const end = bytes.indexOf(id) + id.length
  return [bytes.subarray(0, end - numberLength), bytes.subarray(end)] as const
})

/** Inside Redis, for a million messages are a gigabyte. */
const push = `
for i = ARGV[3] + 1, ARGV[3] + ARGV[4] do
  redis.call('LPUSH', KEYS[1], ARGV[1] .. string.format('%012x', i) .. ARGV[2])
end
`

/** So many a call, that Redis answers others meanwhile. */
const pushedAtOnce = 20_000

/** Ours: huey's list, and what the worker has in custody. */
export const ours = ({ connection: { use } }: Server): Waiting => {
  const keys = Keys.make("huey")
  let pushed = 0
  const fill: Waiting["fill"] = Effect.fnUntraced(function* (count, args) {
    const [before, after] = yield* template(args)
    for (let done = 0; done < count; done += pushedAtOnce) {
      const now = Math.min(pushedAtOnce, count - done)
      yield* Effect.orDie(use((client) => client.eval(push, 1, keys.queue, before, after, pushed, now)))
      pushed += now
    }
  })
  const left = use(async (client) => {
    const lengths = await Promise.all([client.llen(keys.queue), client.llen(keys.arrived), client.hlen(keys.job)])
    return lengths.reduce((sum, length) => sum + length, 0)
  })
  return { fill, left: Effect.orDie(left), dead: Effect.orDie(use((client) => client.xlen(keys.dead))) }
}

/** So many a call: what BullMQ's own benchmark does. */
const addedAtOnce = 500

export const bullmq = ({ connection: { use }, port }: Server): Waiting => ({
  fill: (count, args) =>
    Effect.promise(async () => {
      const queue = new Queue("bench", { connection: { host: "127.0.0.1", port } })
      const job = { name: "mail", data: args, opts: { removeOnComplete: true } }
      for (let done = 0; done < count; done += addedAtOnce) {
        await queue.addBulk(Array.from({ length: Math.min(addedAtOnce, count - done) }, () => job))
      }
      await queue.close()
    }),
  left: Effect.orDie(
    use(async (client) => (await client.llen("bull:bench:wait")) + (await client.llen("bull:bench:active")))
  ),
  dead: Effect.orDie(use((client) => client.zcard("bull:bench:failed")))
})

/** The list and the hash of the bare loop. */
export const bare = ({ connection: { use } }: Server): Waiting => ({
  fill: (count, args) =>
    Effect.orDie(
      use(async (client) => {
        const job = JSON.stringify(args)
        for (let done = 0; done < count; done += addedAtOnce) {
          await client.lpush("bench", ...new Array<string>(Math.min(addedAtOnce, count - done)).fill(job))
        }
      }, 60_000)
    ),
  left: Effect.orDie(use(async (client) => (await client.llen("bench")) + (await client.hlen("bench:held")))),
  dead: Effect.succeed(0)
})

/** Seconds. */
const clock = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e9)

/** Milliseconds between two looks: a hundredth of the shortest run. */
const glance = 10

/**
 * Jobs a second, from the first look at which some had ended to the first at which all had. A job that ended without
 * being done took no work, so there must be none but `poison`.
 */
export const drained = (waiting: Waiting, poison = 0): Effect.Effect<Figures, BenchError> =>
  Effect.gen(function* () {
    const look = Effect.zip(waiting.left, clock)
    const [all] = yield* look
    let first: readonly [left: number, at: number] | undefined
    for (;;) {
      yield* Effect.sleep(glance)
      const seen = yield* look
      const [left, at] = seen
      if (first === undefined && left < all) first = seen
      if (first === undefined || left > 0) continue
      const dead = yield* waiting.dead
      if (dead === poison) return { rate: first[0] / (at - first[1]) }
      return yield* new BenchError({ reason: "Undone", detail: `${dead} jobs were not done, not ${poison}` })
    }
  })
