/**
 * Puts jobs on the queues of the sides, and sees from Redis what has become of them.
 */
import { Queue } from "bullmq"
import * as Effect from "effect/Effect"
import * as JobId from "../../src/JobId.ts"
import * as Keys from "../../src/Redis/keys.ts"
import type { Server } from "../services/RedisServer.ts"
import * as Message from "./Message.ts"
import type { Args } from "./Payload.ts"

/** What a queue may be filled with beside plain jobs; only ours is. */
interface FillOptions {
  /** Milliseconds since the epoch, before which none is to be done. */
  readonly eta?: number
  /** Each so manieth message is one that nobody can read; 0: none. */
  readonly poisonEvery?: number
}

/** A queue of one side, filled and watched from outside. */
export interface Waiting {
  /** Puts as many copies of the job on the queue; each is a job of its own. */
  readonly fill: (count: number, args: Args, options?: FillOptions) => Effect.Effect<void>
  /** Jobs that have not ended. */
  readonly left: Effect.Effect<number>
  /** Those of them that a worker has. */
  readonly inHand: Effect.Effect<number>
  /** Jobs that have ended without being done. */
  readonly dead: Effect.Effect<number>
}

/** The end of an id of a job, a number here, which makes each message one of its own. */
const numberLength = 12

/** A message in two parts, between which stands the end of its id. */
const template = Effect.fnUntraced(function* (args: Args, { eta }: FillOptions) {
  const id = yield* JobId.make
  const bytes = Buffer.from(Message.encode(args, id, eta))
  const end = bytes.indexOf(id) + id.length
  return [bytes.subarray(0, end - numberLength), bytes.subarray(end)] as const
})

/** Inside Redis, for a million messages are a gigabyte. */
const push = `
local every = tonumber(ARGV[5])
for i = ARGV[3] + 1, ARGV[3] + ARGV[4] do
  if every > 0 and i % every == 0 then
    redis.call('LPUSH', KEYS[1], 'no message ' .. i)
  else
    redis.call('LPUSH', KEYS[1], ARGV[1] .. string.format('%012x', i) .. ARGV[2])
  end
end
`

/** So many a call, that Redis answers others meanwhile. */
const pushedAtOnce = 20_000

/** Ours: huey's list, and what the worker has in custody. */
export const ours = ({ connection: { use } }: Server): Waiting => {
  const keys = Keys.make("huey")
  let pushed = 0
  const fill: Waiting["fill"] = Effect.fnUntraced(function* (count, args, options = {}) {
    const { poisonEvery = 0 } = options
    const [before, after] = yield* template(args, options)
    for (let done = 0; done < count; done += pushedAtOnce) {
      const now = Math.min(pushedAtOnce, count - done)
      yield* Effect.orDie(use((client) => client.eval(push, 1, keys.queue, before, after, pushed, now, poisonEvery)))
      pushed += now
    }
  })
  const left = use(async (client) => {
    const lengths = await Promise.all([client.llen(keys.queue), client.llen(keys.arrived), client.hlen(keys.job)])
    return lengths.reduce((sum, length) => sum + length, 0)
  })
  return {
    fill,
    left: Effect.orDie(left),
    inHand: Effect.orDie(use((client) => client.zcard(keys.inflight))),
    dead: Effect.orDie(use((client) => client.xlen(keys.dead)))
  }
}

/** Jobs of ours that a worker took and put aside, for they are not due: in huey's schedule or in its own. */
export const delayed = ({ connection: { use } }: Server): Effect.Effect<number> => {
  const keys = Keys.make("huey")
  return Effect.orDie(use(async (client) => (await client.zcard(keys.schedule)) + (await client.zcard(keys.delayed))))
}

/** So many a call. */
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
  inHand: Effect.orDie(use((client) => client.llen("bull:bench:active"))),
  dead: Effect.orDie(use((client) => client.zcard("bull:bench:failed")))
})

/** Longer than it takes to fill the list of the bare loop, milliseconds. */
const fillLimit = 60_000

/** The list and the hash of the bare loop. */
export const bare = ({ connection: { use } }: Server): Waiting => ({
  fill: (count, args) =>
    Effect.orDie(
      use(async (client) => {
        const job = JSON.stringify(args)
        for (let done = 0; done < count; done += addedAtOnce) {
          await client.lpush("bench", ...new Array<string>(Math.min(addedAtOnce, count - done)).fill(job))
        }
      }, fillLimit)
    ),
  left: Effect.orDie(use(async (client) => (await client.llen("bench")) + (await client.hlen("bench:held")))),
  inHand: Effect.orDie(use((client) => client.hlen("bench:held"))),
  dead: Effect.succeed(0)
})
