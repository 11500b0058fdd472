/**
 * What is done to workers and Redis while the jobs go through.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { Server } from "../services/RedisServer.ts"
import type { Workers } from "./Workers.ts"

/** After so many kills' time a worker is frozen. */
const killsPerFreeze = 2

/** So much longer than its lease a worker is frozen. */
const frozenLeases = 1.5

/** A Redis that died stays away up to so long. Milliseconds. */
const longestOutage = 500

export interface Options {
  readonly workers: Workers
  readonly killsEvery: Duration.Duration
  /** No more than so many kills. */
  readonly kills: number
  readonly lease: Duration.Duration
}

/** Kills and freezes workers until it is interrupted, which thaws them. */
export const onWorkers = ({ kills, killsEvery, lease, workers }: Options): Effect.Effect<void> =>
  Effect.all(
    [
      Effect.repeat(Effect.zipRight(Effect.sleep(killsEvery), workers.kill), {
        while: () => workers.counts().kills < kills
      }),
      Effect.forever(
        Effect.zipRight(
          Effect.sleep(Duration.times(killsEvery, killsPerFreeze)),
          workers.freeze(Duration.times(lease, frozenLeases))
        )
      )
    ],
    { concurrency: "unbounded", discard: true }
  )

/** What Redis has answered for and not yet written to its file: an fsync under way holds writes back, up to 2 seconds. */
const isWritten = (info: string) => /aof_pending_bio_fsync:0/.test(info) && /aof_buffer_length:0/.test(info)

/**
 * Kills Redis and starts it on the same directory. With `everysec` a kill of the process may take what was answered and
 * is not written; that is Redis' promise and not the queue's, so the kill waits for a moment without such.
 */
export const killRedis = (redis: Server): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* redis.connection
      .use((client) => client.info("persistence"))
      .pipe(
        Effect.repeat({ until: isWritten, schedule: Schedule.spaced("2 millis") }),
        Effect.timeout("5 seconds"),
        Effect.ignore
      )
    yield* redis.stop("SIGKILL")
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, longestOutage)))
    yield* redis.start
  })
