/**
 * When a failed job is tried again. The delays are short at first because a one-time code dies after 120 seconds.
 *
 * The standard policy waits 1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600 … seconds, each ± 10 %.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

/** Delays as data. */
export interface RetryPolicy {
  /** The delay after the first, second, … failed attempt; after the last of them each delay doubles. At least one. */
  readonly delays: readonly [Duration.Duration, ...ReadonlyArray<Duration.Duration>]
  /** No delay is longer, jitter aside. */
  readonly maxDelay: Duration.Duration
  /** How far a delay may lie from its value, as a share of it; 0 to 1. Spreads the jobs that failed together. */
  readonly jitter: number
  /** A job without an expiry of its own is given up when it is so old. */
  readonly maxAge: Duration.Duration
}

/** The policy of a worker that is given none: see the head of this file. Gives up after a day. */
export const standard: RetryPolicy = {
  delays: [
    Duration.seconds(1),
    Duration.seconds(2),
    Duration.seconds(5),
    Duration.seconds(10),
    Duration.seconds(20),
    Duration.seconds(30),
    Duration.seconds(60)
  ],
  maxDelay: Duration.hours(1),
  jitter: 0.1,
  maxAge: Duration.days(1)
}

/** A retry that would come later than its job's end is moved to the middle of what is left, if this much is left. */
const shortestRest = 2_000

/** Milliseconds to wait after the attempt with this number (from 1), without jitter. */
export const delay = (policy: RetryPolicy, number: number): number => {
  const last = policy.delays.length
  const listed = policy.delays[Math.min(Math.max(number, 1), last) - 1] ?? policy.delays[0]
  // 2 ** 40 s is beyond every maxDelay; the bound keeps the product finite.
  const factor = 2 ** Math.min(Math.max(number - last, 0), 40)
  return Math.min(Duration.toMillis(listed) * factor, Duration.toMillis(policy.maxDelay))
}

/**
 * What a worker that knows one delay can keep of a policy: as many retries as delays are listed, in the same time. Of the
 * standard policy 7 retries, 18 seconds between them: all within the life of a one-time code.
 */
export const even = ({ delays }: RetryPolicy): { readonly retries: number; readonly retryDelay: Duration.Duration } => {
  const mean = delays.reduce((sum, delay) => sum + Duration.toSeconds(delay), 0) / delays.length
  return { retries: delays.length, retryDelay: Duration.seconds(Math.max(1, Math.round(mean))) }
}

/** What the decision rests on; times in milliseconds since the epoch. */
export interface Failed {
  /** Milliseconds to wait by rights: `delay` of the attempts so far, or what the kind of failure asks for. */
  readonly wanted: number
  readonly now: number
  /** When the job is worthless, or given up. */
  readonly endsAt: number
}

/** Milliseconds until the next attempt, or none when the job has no time left. */
export const next = (policy: RetryPolicy, failed: Failed): Effect.Effect<Option.Option<number>> => {
  const rest = failed.endsAt - failed.now
  return Effect.map(Random.nextRange(1 - policy.jitter, 1 + policy.jitter), (factor) => {
    const wanted = Math.round(failed.wanted * factor)
    if (wanted < rest) return Option.some(wanted)
    return rest >= shortestRest ? Option.some(Math.floor(rest / 2)) : Option.none()
  })
}
