/**
 * From a granted message to its settlement: decoded, due, known, its arguments accepted, performed.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Attempt from "../Attempt.ts"
import * as Decided from "../Decided.ts"
import * as Huey from "../Huey.ts"
import * as Job from "../Job.ts"
import * as JobId from "../JobId.ts"
import {
  type DeadLetter,
  type DeadReason,
  type Grant,
  maxDeliveries,
  poisonDetail,
  type Settlement
} from "../JobStore.ts"
import * as Practice from "../Practice.ts"
import { Fields } from "../QueueLogger/Fields.ts"
import { thrown } from "../QueueLogger/redact.ts"
import type { RetryPolicy } from "../RetryPolicy.ts"
import type { Handle } from "./Hand.ts"
import type { StoreTime } from "./StoreTime.ts"

export interface Options {
  readonly codec: Huey.Codec
  /** For jobs that bring none. */
  readonly policy: RetryPolicy
  readonly storeTime: StoreTime
}

type Known = Pick<DeadLetter, "jobId" | "job">

const bury = (grant: Grant, known: Known, reason: DeadReason, detail: string): Settlement => {
  const { lease, attempts, deliveries, firstTakenAt } = grant
  return { _tag: "Dead", lease, letter: { ...known, reason, detail, attempts, deliveries, firstTakenAt } }
}

/** Buries a message that never became an attempt, which would have logged its end. */
const reject = (grant: Grant, known: Known, reason: DeadReason, detail: string): Effect.Effect<Settlement> =>
  Effect.as(
    Effect.logError(
      `dead: ${reason}: ${detail}`,
      new Fields({
        job: known.job ?? "?",
        attempt: grant.attempts + 1,
        ...(known.jobId === undefined ? { id: "?" } : {})
      })
    ),
    bury(grant, known, reason, detail)
  )

const settle = <R>(
  { codec }: Options,
  grant: Grant,
  message: Huey.Message,
  { ended }: Job.Prepared<R>,
  outcome: Attempt.Outcome
): Effect.Effect<Settlement | undefined, never, R> => {
  const { lease } = grant
  const known = { jobId: message.id, job: message.name }
  switch (outcome._tag) {
    case "Done":
    case "Released":
      return Effect.succeed({ _tag: outcome._tag, lease })
    case "Retry": {
      const { counted, delay, detail, postponed, remaining } = outcome
      const retry = { _tag: outcome._tag, lease, delay, counted, ...(postponed ? {} : { detail }) }
      if (remaining === undefined) return Effect.succeed(retry)
      return Either.match(codec.encode(Huey.withCall(message, remaining)), {
        onRight: (bytes) => Effect.succeed({ ...retry, bytes }),
        onLeft: (error) => {
          const why = `what remains of it cannot be written: ${error.detail}`
          return Effect.zipLeft(reject(grant, known, "Failed", why), Attempt.end({ ended }, "Dead", why))
        }
      })
    }
    case "Dead":
      return Effect.succeed(bury(grant, known, "Failed", outcome.detail))
    case "Expired":
      return Effect.succeed(bury(grant, known, "Expired", outcome.detail))
    case "LostLease":
      return Effect.succeed(undefined)
  }
}

/** When a job was born: ids of ours say it; of others it is only known when they were first taken. */
const bornAt = (grant: Grant, message: Huey.Message): number => {
  const enqueuedAt = Option.getOrElse(JobId.enqueuedAt(message.id), () => grant.firstTakenAt)
  // What waited for its time on purpose is no older for it; an id from a clock that is ahead makes nothing younger.
  return Math.max(Math.min(enqueuedAt, grant.firstTakenAt), message.eta ?? 0)
}

/** A schema that throws is a mistake in a program, as a handler that does: it ends as an attempt. */
const thrower = (defect: unknown): Job.Prepared<never> => ({
  perform: () => Effect.die(defect),
  ended: () => Effect.void,
  maxAge: undefined
})

/** A job that the worker itself failed at waits so long, milliseconds: nobody mends a program within seconds. */
const mistakeDelay = 60_000

/** What becomes of a job when our own code fails at it: it is not lost, and not kept for ever. */
const afterMistake = (grant: Grant, maxAge: Duration.Duration, now: number): Settlement => {
  const { lease, firstTakenAt } = grant
  const detail = "the worker failed at it"
  return now < firstTakenAt + Duration.toMillis(maxAge)
    ? { _tag: "Retry", lease, delay: mistakeDelay, counted: true, detail }
    : bury(grant, { jobId: undefined, job: undefined }, "Failed", detail)
}

/** What becomes of grants. */
export interface Performer<out R> {
  /**
   * Performs what was granted, on a fiber of its own that is uninterruptible and logs for this job alone; nothing where the
   * lease is lost, so that there is nothing to settle. Reads the message at once, so that the hand knows the job before.
   */
  readonly begin: (grant: Grant, hand: Handle) => Effect.Effect<Settlement | undefined, never, R>
  /** What to settle where our own code failed, also by throwing at once. */
  readonly failed: (grant: Grant, cause: Cause.Cause<never>) => Effect.Effect<Settlement>
}

/** Reads a message whose job does nothing, so that an idle worker reads its first mails as a busy one its thousandth. */
export const practise = Practice.make(
  Effect.gen(function* () {
    const { decode, encode } = Huey.make()
    const job = Practice.job()
    const call = yield* job.encode(Practice.args)
    const bytes = yield* encode(Huey.message({ id: yield* JobId.make, name: job.names[0], call }))
    return Effect.flatMap(
      Effect.suspend(() => decode(bytes)),
      (message) => job.prepare(message.call)
    )
  })
)

export const make = <R>(jobs: Job.Jobs<R>, options: Options): Performer<R> => {
  const { codec, storeTime } = options

  const attempt = (
    grant: Grant,
    hand: Handle,
    message: Huey.Message,
    job: Job.Job<never, R>,
    prepared: Job.Prepared<R>
  ) => {
    const policy = job.policy ?? options.policy
    const input = {
      name: message.name,
      prepared,
      attempt: {
        jobId: message.id,
        number: grant.attempts + 1,
        firstTakenAt: grant.firstTakenAt,
        expiresAt: message.expiresAt,
        stop: hand.stop
      },
      policy,
      endsAt: message.expiresAt ?? bornAt(grant, message) + Duration.toMillis(prepared.maxAge ?? policy.maxAge),
      now: storeTime.unsafeNow
    }
    return Attempt.performThen(input, (outcome) => settle(options, grant, message, prepared, outcome))
  }

  const perform = (grant: Grant, hand: Handle): Effect.Effect<Settlement | undefined, never, R> => {
    const decoded = codec.decode(grant.bytes)
    if (Either.isLeft(decoded)) {
      const { reason, detail } = decoded.left
      return reject(grant, { jobId: undefined, job: undefined }, "Undecodable", `${reason}: ${detail}`)
    }
    const message = decoded.right
    const known = { jobId: message.id, job: message.name }
    const job = jobs.get(message.name)
    hand.known(known, job?.timeout)
    if (grant.deliveries > maxDeliveries) return reject(grant, known, "Poison", poisonDetail)
    const { eta } = message
    if (eta !== undefined) {
      const scheduled: Settlement = { _tag: "Scheduled", lease: grant.lease, dueAt: eta }
      return Effect.flatMap(storeTime.now, (now) =>
        eta > now ? Effect.succeed(scheduled) : begin(grant, hand, message, job)
      )
    }
    return begin(grant, hand, message, job)
  }

  const begin = (grant: Grant, hand: Handle, message: Huey.Message, job: Job.Job<never, R> | undefined) => {
    const known = { jobId: message.id, job: message.name }
    if (job === undefined) return reject(grant, known, "UnknownJob", "no job of this worker has this name")
    const refuse = (error: ParseResult.ParseError) => reject(grant, known, "InvalidArguments", Job.explain(error))
    const accepted = (prepared: Job.Prepared<R>) => {
      if (grant.deliveries <= 1) return attempt(grant, hand, message, job, prepared)
      const warning = Effect.logWarning(
        "redelivered: its last worker gave no answer, so that it may be done twice",
        new Fields({ job: message.name, delivery: grant.deliveries })
      )
      return Effect.zipRight(warning, attempt(grant, hand, message, job, prepared))
    }
    const prepared = job.prepare(message.call)
    if (Decided.isDecided(prepared)) return Either.isLeft(prepared) ? refuse(prepared.left) : accepted(prepared.right)
    return Effect.catchAllDefect(prepared, (defect) => Effect.succeed<Job.Prepared<R>>(thrower(defect))).pipe(
      Effect.matchEffect({ onFailure: refuse, onSuccess: accepted })
    )
  }

  return {
    begin: perform,
    failed: (grant, cause) =>
      Effect.zipRight(
        Effect.logError(`the worker failed at a job: ${thrown(cause)}`),
        Effect.map(storeTime.now, (now) => afterMistake(grant, options.policy.maxAge, now))
      )
  }
}
