/**
 * Performs one job once: handler, outcome, one log line, metrics. The worker and the queue `None` share it.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { type Call, type End, type Attempt as JobAttempt, JobFailure, type Prepared } from "./Job.ts"
import * as Metrics from "./Metrics.ts"
import * as Monotonic from "./Monotonic.ts"
import { Fields } from "./QueueLogger/Fields.ts"
import { thrown } from "./QueueLogger/redact.ts"
import { unsafeLog } from "./QueueLogger/unsafeLog.ts"
import * as RetryPolicy from "./RetryPolicy.ts"
import type { StopReason } from "./StopSignal.ts"

/** How an attempt ended. */
export type Outcome =
  | { readonly _tag: "Done" }
  | {
      readonly _tag: "Retry"
      /** Milliseconds. */
      readonly delay: number
      readonly counted: boolean
      /** It was not begun. */
      readonly postponed: boolean
      readonly detail: string
      readonly remaining: Call | undefined
    }
  | {
      readonly _tag: "Dead"
      readonly detail: string
      readonly cause: unknown
      /** What was not done of a job that was partly done. */
      readonly remaining: Call | undefined
    }
  | {
      readonly _tag: "Expired"
      /** What its last attempt failed with, where there was one. */
      readonly detail: string
    }
  | { readonly _tag: "Released" }
  | { readonly _tag: "LostLease" }

/** A job in hand. */
export interface Input<out R> {
  /** Its name on the wire. */
  readonly name: string
  readonly prepared: Prepared<R>
  readonly attempt: JobAttempt
  /** Absent: one attempt and no more. */
  readonly policy: RetryPolicy.RetryPolicy | undefined
  /** When the job is worthless or given up, milliseconds since the epoch; with an expiry of its own, that. */
  readonly endsAt: number
  /** The time by which a job expires, milliseconds since the epoch: a store's, where there is one. */
  readonly now: (clock: Clock.Clock) => number
}

/** A configuration fault costs no attempt, and nobody mends one within seconds. Milliseconds. */
const configurationDelay = 60_000

const afterFailure = Effect.fnUntraced(function* <R>(
  { attempt, endsAt, now, policy }: Input<R>,
  failure: JobFailure<Call>,
  stopped: StopReason | undefined
): Effect.fn.Return<Outcome> {
  const { verdict, reason: detail, remaining } = failure
  if (stopped === "LeaseLost") return { _tag: "LostLease" }
  // What was asked to stop before it had done anything is no failure of the job.
  if (stopped === "Drain" && verdict === "Transient" && remaining === undefined) return { _tag: "Released" }
  const dead = (detail: string): Outcome => ({ _tag: "Dead", detail, cause: failure, remaining })
  if (verdict === "Permanent" || policy === undefined) return dead(detail)
  const postponed = verdict === "Postponed"
  const counted = !postponed && verdict !== "Configuration"
  const wanted = failure.delay ?? (counted ? RetryPolicy.delay(policy, attempt.number) : configurationDelay)
  const delay = yield* RetryPolicy.next(policy, { wanted, now: now(yield* Effect.clock), endsAt })
  if (Option.isSome(delay)) return { _tag: "Retry", delay: delay.value, counted, postponed, detail, remaining }
  return attempt.expiresAt === undefined
    ? dead(`given up: ${detail}`)
    : { _tag: "Expired", detail: `its time was over after: ${detail}` }
})

const done: Outcome = { _tag: "Done" }

const afterCause = Effect.fnUntraced(function* <R>(
  input: Input<R>,
  cause: Cause.Cause<JobFailure<Call>>
): Effect.fn.Return<Outcome> {
  const stopped = input.attempt.stop.reason
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return yield* afterFailure(input, failure.value, stopped)
  const interrupted = Cause.isInterruptedOnly(cause)
  if (interrupted && stopped === "LeaseLost") return { _tag: "LostLease" }
  if (interrupted && stopped === "Drain") return { _tag: "Released" }
  // A handler that throws is a mistake in a program, which may be mended while the job waits.
  if (!interrupted) yield* Effect.logDebug(`the handler threw: ${thrown(cause)}`)
  const reason =
    stopped === "Deadline"
      ? "the attempt took too long"
      : interrupted
        ? "the handler was interrupted"
        : "the handler threw"
  return yield* afterFailure(input, new JobFailure({ verdict: "Transient", reason, cause }), stopped)
})

type RunningFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What the one line of an attempt says. */
const lineOf = (outcome: Outcome): readonly [level: LogLevel.LogLevel, text: string] => {
  switch (outcome._tag) {
    case "Done":
      return [LogLevel.Info, "done"]
    case "Retry": {
      const delay = `${(outcome.delay / 1_000).toFixed(1)} s`
      if (outcome.postponed) return [LogLevel.Debug, `waits ${delay}: ${outcome.detail}`]
      const cost = outcome.counted ? "" : ", at no cost of an attempt"
      return [LogLevel.Warning, `retry in ${delay}${cost}: ${outcome.detail}`]
    }
    case "Dead":
      return [LogLevel.Error, `dead: ${outcome.detail}`]
    case "Expired":
      return [LogLevel.Error, `expired: ${outcome.detail}`]
    case "Released":
      return [LogLevel.Info, "released, the worker stops"]
    case "LostLease":
      return [LogLevel.Error, "lost its lease, another worker has the job"]
  }
}

/** Logs the line; which job it is about is an annotation of the caller's. */
const log = <R>(fiber: RunningFiber, { attempt, name }: Input<R>, outcome: Outcome, ms: number): void => {
  const [level, text] = lineOf(outcome)
  unsafeLog(fiber, level, text, new Fields({ job: name, attempt: attempt.number, ms }))
}

/** What a job does at its end may take so long: it holds a slot. */
const endLimit = Duration.seconds(10)

/** Tells a job that it will never be done. */
export const end = <R>(
  { ended }: Pick<Prepared<R>, "ended">,
  _tag: End["_tag"],
  detail: string
): Effect.Effect<void, never, R> =>
  Effect.interruptible(ended({ _tag, detail })).pipe(
    Effect.timeoutFail({ duration: endLimit, onTimeout: () => new Error("it took too long") }),
    Effect.catchAllCause((cause) => Effect.logError(`what the job does at its end failed: ${thrown(cause)}`))
  )

const tooLate = <R>({ attempt }: Input<R>) =>
  attempt.expiresAt === undefined
    ? "older than such a job may become before it is begun"
    : "its time was over before it was begun"

/** A handler that throws before it answers with an effect fails as one that does so later. */
const handle = <R>({ attempt, prepared }: Input<R>): Effect.Effect<void, JobFailure<Call>, R> => {
  try {
    return prepared.perform(attempt)
  } catch (defect) {
    return Effect.die(defect)
  }
}

type Handler<R> = Effect.Effect<void, JobFailure<Call>, R>

/** Synchronous but for the handler, for this is what a job costs beside its work. */
const around = <A, R>(
  input: Input<R>,
  restore: (handler: Handler<R>) => Handler<R>,
  then: (outcome: Outcome) => Effect.Effect<A, never, R>
): Effect.Effect<A, never, R> =>
  Effect.withFiberRuntime((fiber) => {
    const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
    const startedAt = Monotonic.unsafeMillis(clock)
    const finished = (outcome: Outcome) => {
      const millis = Monotonic.unsafeMillis(clock) - startedAt
      Metrics.unsafeAttempt(outcome._tag, millis)
      log(fiber, input, outcome, millis)
      return outcome._tag === "Dead" || outcome._tag === "Expired"
        ? Effect.flatMap(end(input.prepared, outcome._tag, outcome.detail), () => then(outcome))
        : then(outcome)
    }
    if (input.endsAt <= input.now(clock)) return finished({ _tag: "Expired", detail: tooLate(input) })
    return Effect.matchCauseEffect(restore(handle(input)), {
      onSuccess: () => finished(done),
      onFailure: (cause) => Effect.flatMap(afterCause(input, cause), finished)
    })
  })

/**
 * Performs the job; never fails, and is done only when it knows the outcome, even where the fiber is interrupted. The
 * caller annotates the logs with the job's id.
 */
export const perform = <R>(input: Input<R>): Effect.Effect<Outcome, never, R> =>
  Effect.uninterruptibleMask((restore) => around(input, restore, Effect.succeed))

/** The same on a fiber that is uninterruptible but for what the handler decides, and what follows from the outcome. */
export const performThen = <A, R>(
  input: Input<R>,
  then: (outcome: Outcome) => Effect.Effect<A, never, R>
): Effect.Effect<A, never, R> => around(input, (handler) => handler, then)
