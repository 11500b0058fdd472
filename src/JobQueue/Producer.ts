/**
 * The message of a job that is being enqueued: the part that all queues with a wire share.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Huey from "../Huey.ts"
import * as Job from "../Job.ts"
import * as JobId from "../JobId.ts"
import { EnqueueError, type EnqueueOptions } from "../JobQueue.ts"
import * as RetryPolicy from "../RetryPolicy.ts"

/** Turns arguments into a message with an id of its own. Its retries are for huey's worker: ours has the policy itself. */
export const message = Effect.fnUntraced(function* <A, R>(job: Job.Job<A, R>, args: A, options: EnqueueOptions = {}) {
  const [name] = job.names
  const call = yield* Effect.mapError(
    job.encode(args),
    (cause) => new EnqueueError({ reason: "InvalidArguments", job: name, detail: Job.explain(cause), cause })
  )
  const id = yield* JobId.make
  const now = yield* Clock.currentTimeMillis
  const from = (input: Duration.DurationInput) => now + Duration.toMillis(input)
  const { retries, retryDelay } = RetryPolicy.even(job.policy ?? RetryPolicy.standard)
  return Huey.message({
    id,
    name,
    call,
    retries,
    retryDelay: Duration.toSeconds(retryDelay),
    ...(options.delay === undefined ? {} : { eta: from(options.delay) }),
    ...(options.expires === undefined ? {} : { expiresAt: from(options.expires) })
  })
})

/** The error of a message that cannot be written; its cause never holds an argument. */
export const unencodable = (job: string) => (cause: Huey.HueyError) =>
  new EnqueueError({ reason: "InvalidArguments", job, detail: cause.detail, cause })
