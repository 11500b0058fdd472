/**
 * The message of a job that is being enqueued: the part that all queues with a wire share.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ParseError } from "effect/ParseResult"
import * as Decided from "../Decided.ts"
import * as Huey from "../Huey.ts"
import * as Job from "../Job.ts"
import * as JobId from "../JobId.ts"
import { EnqueueError, type EnqueueOptions } from "../JobQueue.ts"
import * as Memo from "../Memo.ts"
import * as Practice from "../Practice.ts"
import * as RetryPolicy from "../RetryPolicy.ts"

/** What huey's worker can keep of a policy, which most jobs share. */
const keptOf = Memo.of((policy: RetryPolicy.RetryPolicy) => {
  const { retries, retryDelay } = RetryPolicy.even(policy)
  return { retries, retryDelay: Duration.toSeconds(retryDelay) }
})

const invalid = (job: string) => (cause: ParseError) =>
  new EnqueueError({ reason: "InvalidArguments", job, detail: Job.explain(cause), cause })

/**
 * Turns arguments into a message with an id of its own, and goes on with it; in the same step of the fiber where the schema
 * needs none, for steps cost a producer more than the message. Its retries are for huey's worker: ours has the policy itself.
 */
export const withMessage = <A, R, B>(
  job: Job.Job<A, R>,
  args: A,
  { delay, expires }: EnqueueOptions = {},
  next: (message: Huey.Message) => Effect.Effect<B, EnqueueError>
): Effect.Effect<B, EnqueueError> =>
  Effect.flatMap(JobId.stamp, ({ id, now }) => {
    const [name] = job.names
    const made = (call: Job.Call) => {
      const { retries, retryDelay } = keptOf(job.policy ?? RetryPolicy.standard)
      return next(
        Huey.message({
          id,
          name,
          call,
          retries,
          retryDelay,
          ...(delay === undefined ? {} : { eta: now + Duration.toMillis(delay) }),
          ...(expires === undefined ? {} : { expiresAt: now + Duration.toMillis(expires) })
        })
      )
    }
    return Decided.flatMap(Decided.mapError(job.encode(args), invalid(name)), made)
  })

/** The message alone. */
export const message = <A, R>(
  job: Job.Job<A, R>,
  args: A,
  options?: EnqueueOptions
): Effect.Effect<Huey.Message, EnqueueError> => withMessage(job, args, options, Effect.succeed)

/** The bytes of a message, or why it cannot be written; the cause of that never holds an argument. */
export const write = (codec: Huey.Codec, message: Huey.Message): Either.Either<Uint8Array, EnqueueError> =>
  Either.mapLeft(
    codec.encode(message),
    (cause) => new EnqueueError({ reason: "InvalidArguments", job: message.name, detail: cause.detail, cause })
  )

/** Writes messages that go nowhere, so that a server's first logins need not wait for code that is not compiled. */
export const practise = Practice.make(
  Effect.sync(() => {
    const codec = Huey.make()
    return withMessage(Practice.job(), Practice.args, {}, (message) => write(codec, message))
  })
)
