/**
 * No queue: a job is performed where it is enqueued, once, in the caller's fiber. No retry, no lease, no dead letter: the
 * server sees the error, as eduMFA does without a queue.
 */

import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Attempt from "../Attempt.ts"
import * as Job from "../Job.ts"
import * as JobId from "../JobId.ts"
import { EnqueueError, JobQueue } from "../JobQueue.ts"
import * as StopSignal from "../StopSignal.ts"

export const make = <R>(jobs: Job.Jobs<R>): Effect.Effect<Context.Tag.Service<JobQueue>, never, R> =>
  Effect.map(Effect.context<R>(), (context) => ({
    enqueue: Effect.fnUntraced(function* (job, args, options = {}) {
      const [name] = job.names
      const refuse = (reason: EnqueueError["reason"], detail: string, cause?: unknown) =>
        new EnqueueError({ reason, job: name, detail, cause })
      if (options.delay !== undefined && Duration.greaterThan(options.delay, Duration.zero)) {
        return yield* refuse("DelayUnsupported", "without a queue nobody is there to do it later")
      }
      const known = jobs.get(name)
      if (known === undefined) return yield* refuse("UnknownJob", "it is not among the jobs of this queue")
      const prepared = yield* Effect.mapError(Effect.flatMap(job.encode(args), known.prepare), (cause) =>
        refuse("InvalidArguments", Job.explain(cause), cause)
      )
      const now = yield* Clock.currentTimeMillis
      const jobId = yield* JobId.make
      const expiresAt = options.expires === undefined ? undefined : now + Duration.toMillis(options.expires)
      const outcome = yield* Attempt.perform({
        name,
        prepared,
        attempt: { jobId, number: 1, firstTakenAt: now, expiresAt, stop: StopSignal.never },
        policy: undefined,
        endsAt: expiresAt ?? Number.POSITIVE_INFINITY,
        now: (clock) => clock.unsafeCurrentTimeMillis()
      }).pipe(Effect.annotateLogs("id", jobId), Effect.provide(context))
      switch (outcome._tag) {
        case "Done":
          return jobId
        case "Dead":
          return yield* refuse("JobFailed", outcome.detail, outcome.cause)
        default:
          return yield* refuse("Expired", "it was too late for it")
      }
    })
  }))

/** The jobs that this queue can perform; what their handlers need is needed by the layer, not by who enqueues. */
export const layer = <R>(jobs: Job.Jobs<R>): Layer.Layer<JobQueue, never, R> => Layer.effect(JobQueue, make(jobs))
