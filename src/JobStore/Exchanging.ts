/**
 * The exchanges of one worker with Redis: each names those before it whose answers got lost, and glances only where there
 * is nothing to do.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type Exchange, maxDeliveries, poison, poisonDetail, type Settlement, suspectFrom } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"
import type { RedisConnection, Wait } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import { exchange } from "./exchange.ts"
import { Quiet } from "./Quiet.ts"
import type { Reply } from "./Reply.ts"
import * as Settling from "./Settling.ts"
import { Unanswered } from "./Unanswered.ts"

/** So many dead letters are kept, as Sidekiq and Asynq do; Redis may keep a few more. */
export const deadCap = 10_000

/** And so many milliseconds: what failed a quarter of a year ago is nobody's question any more. */
const deadAge = Duration.toMillis(Duration.days(90))

/**
 * Milliseconds. A producer sends again within minutes; a day covers one that was stopped over night with a message in hand.
 */
const seenAge = Duration.toMillis(Duration.days(1))

/**
 * A lease is longer by up to this part of it, by chance: what a worker had in hand when it died does not come back all at
 * once, and what comes back does not keep step with whatever kills workers at regular times.
 */
const leaseSpread = 1 / 4

const spreadBy = (lease: number, part: number) => Math.floor(lease * (1 + leaseSpread * part))

/** How long what is extended now is held, of a lease in milliseconds. */
export const spread = (lease: number): Effect.Effect<number> => Effect.map(Random.next, (part) => spreadBy(lease, part))

/** Of a number that is drawn its last digits spread the lease: another draw would cost as much as a job. */
const parts = 2 ** 16

/** About 13 MB of Redis' memory. */
const seenCap = 100_000

export interface Options {
  readonly keys: Keys
  /** How long a job stays at least with a worker that gives no sign of life. */
  readonly lease: Duration.Duration
  /** Seconds from the Unix time of a scheduled job to its score in huey's schedule, at a time in milliseconds. */
  readonly scheduleOffset: (now: number) => number
  /** A number that nobody else draws. */
  readonly random: Effect.Effect<number>
}

export interface Exchanging {
  /**
   * `free` and `suspects` as the store's `exchange`; `wait`: behind the wake-up call on this connection, and granting where
   * that has moved a message.
   */
  readonly ask: (
    connection: RedisConnection,
    settlements: ReadonlyArray<Settlement>,
    free: number,
    suspects: number,
    wait?: Wait
  ) => Effect.Effect<Exchange, RedisError>
  /** An answer got lost: what it granted is not taken back yet. */
  readonly isUnanswered: () => boolean
  /** Redis refused something else: the next exchange tries all that one needs. */
  readonly doubt: () => void
}

export const make = (options: Options): Exchanging => {
  const { keys, random } = options
  const lease = Duration.toMillis(options.lease)
  const unanswered = new Unanswered()
  const quiet = new Quiet()

  return {
    isUnanswered: () => unanswered.nonces.length > 0,
    doubt: () => quiet.doubt(),
    ask: Effect.fnUntraced(function* ({ run }, settlements, free, suspects, wait) {
      const drawn = yield* random
      const nonce = drawn.toString(36)
      const held = spreadBy(lease, (drawn % parts) / parts)
      const clock = yield* Effect.clock
      const schedule_offset = options.scheduleOffset(clock.unsafeCurrentTimeMillis())
      const now = Monotonic.unsafeMillis(clock)
      const told = unanswered.nonces
      const isGlance = settlements.length + told.length === 0 && quiet.allows(now)
      // One that has nothing to tell and is not waited for has the time.
      const isWhole = (settlements.length === 0 && wait === undefined) || quiet.isWhole(now)
      const { done, rest } = Settling.encode(settlements, options.scheduleOffset)
      // Written out, for each spread of a record costs as much as a job.
      const args = {
        done,
        free,
        suspects,
        suspect_from: suspectFrom,
        lease: held,
        nonce,
        unanswered: told.join(" "),
        max_deliveries: maxDeliveries,
        poison_detail: poisonDetail,
        dead_cap: deadCap,
        dead_age: deadAge,
        seen_cap: seenCap,
        seen_age: seenAge,
        schedule_offset,
        quiet: isGlance ? 1 : 0,
        whole: isWhole ? 1 : 0,
        behind: wait === undefined ? 0 : 1
      }
      const reply: Reply = yield* Effect.onError(run(exchange, keys, args, rest, wait), () =>
        Effect.sync(() => {
          quiet.doubt()
          unanswered.add(nonce, wait && now + wait.silence)
        })
      )
      unanswered.told(told, now)
      if (!isGlance) quiet.answered(now, isWhole)
      const { buried, duplicates, grants, nextDueIn, settled } = reply
      return {
        settled,
        grants,
        buried: buried.map((last) => ({ letter: poison(last), bytes: last.bytes })),
        duplicates,
        nextDueIn,
        now: reply.now
      } satisfies Exchange
    })
  }
}
