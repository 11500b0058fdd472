/**
 * Where an MFA server leaves its jobs. Imports no backend: which one it is, is a layer.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Job } from "./Job.ts"

/** When a job is worth doing. */
export interface EnqueueOptions {
  /** Not before so long from now. */
  readonly delay?: Duration.DurationInput
  /** Never later than so long from now: a one-time code is dead after its validity. Default: no limit of its own. */
  readonly expires?: Duration.DurationInput
}

/**
 * Why a job was not taken over. `Unavailable`: the queue cannot be reached, or refuses; `InvalidArguments`: they do not
 * fit the job's schema; `UnknownJob` and `JobFailed`: only without a queue, where the job is performed at once;
 * `DelayUnsupported`: likewise, nobody is there to do it later.
 */
export type EnqueueReason =
  | "Unavailable"
  | "InvalidArguments"
  | "UnknownJob"
  | "JobFailed"
  | "DelayUnsupported"
  | "Expired"

/** The job is not on the queue; after `Unavailable` it may be, when the connection broke before the answer. */
export class EnqueueError extends Data.TaggedError("EnqueueError")<{
  readonly reason: EnqueueReason
  readonly job: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    return `${this.job} was not enqueued (${this.reason}): ${this.detail}`
  }
}

/** Takes jobs over. `enqueue` answers with the job's id. */
export class JobQueue extends Context.Tag("edumfa-queue/JobQueue")<
  JobQueue,
  {
    readonly enqueue: <A, R>(job: Job<A, R>, args: A, options?: EnqueueOptions) => Effect.Effect<string, EnqueueError>
  }
>() {}
