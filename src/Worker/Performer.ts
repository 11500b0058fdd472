/**
 * From a granted message to its settlement: decoded, due, known, its arguments accepted, performed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Attempt from "../Attempt.ts"
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
import { Fields } from "../QueueLogger/Fields.ts"
import type { RetryPolicy } from "../RetryPolicy.ts"
import type { Handle } from "./InHand.ts"

export interface Options {
  readonly codec: Huey.Codec
  /** For jobs that bring none. */
  readonly policy: RetryPolicy
  /** The store's time, milliseconds since the epoch. */
  readonly now: Effect.Effect<number>
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
): Effect.Effect<Option.Option<Settlement>, never, R> => {
  const { lease } = grant
  const known = { jobId: message.id, job: message.name }
  switch (outcome._tag) {
    case "Done":
    case "Released":
      return Effect.succeedSome({ _tag: outcome._tag, lease })
    case "Retry": {
      const { counted, delay, detail, postponed, remaining } = outcome
      const retry = { _tag: outcome._tag, lease, delay, counted, ...(postponed ? {} : { detail }) }
      if (remaining === undefined) return Effect.succeedSome(retry)
      return Either.match(codec.encode(Huey.withCall(message, remaining)), {
        onRight: (bytes) => Effect.succeedSome({ ...retry, bytes }),
        onLeft: (error) => {
          const why = `what remains of it cannot be written: ${error.detail}`
          return Effect.zipLeft(Effect.asSome(reject(grant, known, "Failed", why)), Attempt.end({ ended }, "Dead", why))
        }
      })
    }
    case "Dead":
      return Effect.succeedSome(bury(grant, known, "Failed", outcome.detail))
    case "Expired":
      return Effect.succeedSome(bury(grant, known, "Expired", outcome.detail))
    case "LostLease":
      return Effect.succeedNone
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

/** Performs what was granted, on a fiber of its own; none where the lease is lost, so that there is nothing to settle. */
export const make =
  <R>(jobs: Job.Jobs<R>, options: Options) =>
  (grant: Grant, hand: Handle): Effect.Effect<Option.Option<Settlement>, never, R> =>
    Effect.gen(function* () {
      const decoded = options.codec.decode(grant.bytes)
      if (Either.isLeft(decoded)) {
        const { reason, detail } = decoded.left
        const nothing = { jobId: undefined, job: undefined }
        return Option.some(yield* reject(grant, nothing, "Undecodable", `${reason}: ${detail}`))
      }
      const message = decoded.right
      // On a fiber of the job's own: nothing has to be put back.
      yield* FiberRef.update(FiberRef.currentLogAnnotations, (all) => HashMap.set(all, "id", message.id))
      const known = { jobId: message.id, job: message.name }
      const job = jobs.get(message.name)
      hand.known(known, job?.timeout)
      if (grant.deliveries > maxDeliveries) return Option.some(yield* reject(grant, known, "Poison", poisonDetail))
      const now = yield* options.now
      if (message.eta !== undefined && message.eta > now) {
        return Option.some<Settlement>({ _tag: "Scheduled", lease: grant.lease, dueAt: message.eta })
      }
      if (job === undefined) {
        return Option.some(yield* reject(grant, known, "UnknownJob", "no job of this worker has this name"))
      }
      const prepared = yield* Effect.either(job.prepare(message.call)).pipe(
        Effect.catchAllDefect((defect) => Effect.succeed(Either.right<Job.Prepared<R>>(thrower(defect))))
      )
      if (Either.isLeft(prepared)) {
        return Option.some(yield* reject(grant, known, "InvalidArguments", Job.explain(prepared.left)))
      }
      if (grant.deliveries > 1) {
        yield* Effect.logWarning(
          "redelivered: its last worker gave no answer, so that it may be done twice",
          new Fields({ job: message.name, delivery: grant.deliveries })
        )
      }
      const policy = job.policy ?? options.policy
      const outcome = yield* Attempt.perform({
        name: message.name,
        prepared: prepared.right,
        attempt: {
          jobId: message.id,
          number: grant.attempts + 1,
          firstTakenAt: grant.firstTakenAt,
          expiresAt: message.expiresAt,
          stop: hand.stop
        },
        policy,
        endsAt: message.expiresAt ?? bornAt(grant, message) + Duration.toMillis(prepared.right.maxAge ?? policy.maxAge),
        now: options.now
      })
      return yield* settle(options, grant, message, prepared.right, outcome)
      // All around a handler is uninterruptible, so that an outcome is always settled.
    }).pipe(Effect.uninterruptible)
