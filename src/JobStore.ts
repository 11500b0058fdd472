/**
 * The taking side of a queue: what a worker needs of it. A job is granted under a lease; it leaves the store only when
 * the holder of that lease settles it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/** Names one grant of one job. The token changes with every grant, so that a former holder can settle nothing. */
export interface Lease {
  /** The store's own name for the message, not the job's id. */
  readonly id: string
  readonly token: string
}

/** A message handed to this worker. */
export interface Grant {
  readonly lease: Lease
  readonly bytes: Uint8Array
  /** How often it was granted in a row without a settlement, this time included. From 2 on it may be done twice. */
  readonly deliveries: number
  /** Attempts that failed and were counted. */
  readonly attempts: number
  /** Milliseconds since the epoch. */
  readonly firstTakenAt: number
}

/** What remains of a job that will never be done: no argument, no body. */
export interface DeadLetter {
  /** Absent when the message could not be read. */
  readonly jobId: string | undefined
  readonly job: string | undefined
  /** `Failed`, `Expired`, `UnknownJob`, `InvalidArguments`, `Undecodable` or, buried by the store itself, `Poison`. */
  readonly reason: string
  readonly detail: string
  readonly attempts: number
  readonly deliveries: number
  /** Milliseconds since the epoch. */
  readonly firstTakenAt: number
}

/** A message granted so often in a row without an end kills its worker: it becomes a dead letter. */
export const maxDeliveries = 5

/** What a poison message says of itself, in every store. */
export const poisonDetail = "granted too often without an end"

/** The letter of a message that a store gives up: it knows neither job nor id, for it reads no message. */
export const poison = ({
  attempts,
  deliveries,
  firstTakenAt
}: Pick<DeadLetter, "attempts" | "deliveries" | "firstTakenAt">): DeadLetter => ({
  jobId: undefined,
  job: undefined,
  reason: "Poison",
  detail: poisonDetail,
  attempts,
  deliveries,
  firstTakenAt
})

/** How an attempt ended, told to the store. */
export type Settlement =
  | { readonly _tag: "Done"; readonly lease: Lease }
  | {
      readonly _tag: "Retry"
      readonly lease: Lease
      /** Milliseconds. */
      readonly delay: number
      /** Whether it costs an attempt. */
      readonly counted: boolean
      /** The message with what remains of it; absent: unchanged. */
      readonly bytes?: Uint8Array
    }
  | { readonly _tag: "Dead"; readonly lease: Lease; readonly letter: DeadLetter }
  | { readonly _tag: "Released"; readonly lease: Lease }

/** A message that the store itself gave up. */
export interface Buried {
  readonly letter: DeadLetter
  readonly bytes: Uint8Array
}

/** The answer to an exchange. */
export interface Exchange {
  /** For each settlement, in order: whether its lease was still held. */
  readonly settled: ReadonlyArray<boolean>
  readonly grants: ReadonlyArray<Grant>
  /** Messages that were granted too often without an end, and are dead letters now. */
  readonly buried: ReadonlyArray<Buried>
  /** Milliseconds until a delayed job is due or a lease ends; absent: there is none. */
  readonly nextDueIn: number | undefined
}

/** How much there is of what. */
export interface Counts {
  readonly waiting: number
  readonly scheduled: number
  readonly inHand: number
  readonly retrying: number
  readonly dead: number
}

/** `Unavailable`: it does not answer now and may later; `Refused`: it answers that it will not. */
export class JobStoreError extends Data.TaggedError("JobStoreError")<{
  readonly reason: "Unavailable" | "Refused"
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    return this.detail
  }
}

/** The configuration names no queue, so that there is nothing a worker could take from. */
export class NoQueue extends Data.TaggedError("NoQueue")<{ readonly source: string }> {
  override get message() {
    return `the job queue is off, set EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue' in ${this.source}`
  }
}

/** Grants, settles and extends leases; at least once, fenced. */
export class JobStore extends Context.Tag("edumfa-queue/JobStore")<
  JobStore,
  {
    /** What a start block calls it; no secret. */
    readonly name: string
    /** How long a grant holds unless it is extended. */
    readonly lease: Duration.Duration
    /** Settles finished attempts and grants up to `free` messages. */
    readonly exchange: (settlements: ReadonlyArray<Settlement>, free: number) => Effect.Effect<Exchange, JobStoreError>
    /** Extends leases by their full length; for each, in order: whether it was still held. */
    readonly extend: (leases: ReadonlyArray<Lease>) => Effect.Effect<ReadonlyArray<boolean>, JobStoreError>
    readonly counts: Effect.Effect<Counts, JobStoreError>
    /** Returns when something may have arrived, or after a while: a hint to exchange, never a promise. */
    readonly arrival: Effect.Effect<void, JobStoreError>
  }
>() {}
