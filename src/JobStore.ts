/**
 * The taking side of a queue: what a worker needs of it. A job is granted under a lease; it leaves the store only when
 * the holder of that lease settles it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Drained, DrainOptions, WorkersAlive } from "./JobStore/Drained.ts"

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

/**
 * Why a job will never be done. `Poison`: it was granted too often without an end; `Backlog`: it waited since before the
 * first start of a worker.
 */
export type DeadReason = "Failed" | "Expired" | "UnknownJob" | "InvalidArguments" | "Undecodable" | "Poison" | "Backlog"

/** What remains of a job that will never be done: no argument, no body. */
export interface DeadLetter {
  /** Absent when the message could not be read. */
  readonly jobId: string | undefined
  readonly job: string | undefined
  readonly reason: DeadReason
  readonly detail: string
  readonly attempts: number
  readonly deliveries: number
  /** Milliseconds since the epoch. */
  readonly firstTakenAt: number
}

/** A job must outlive a stop of its worker's event loop and must come back while a one-time code lives. */
export const defaultLease = Duration.seconds(30)

/**
 * A message granted so often in a row without an end kills its worker: at its next grant it is buried, not performed.
 * Where even that kills the worker, the store gives it up itself.
 */
export const maxDeliveries = 5

/**
 * From its so manieth grant in a row on a message is under suspicion of killing its workers. A worker has one such message
 * in hand at a time, lest those beside it die with it until they are taken for poison too.
 */
export const suspectFrom = 3

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
      /** One line for the history of the job; absent: nothing happened to it. */
      readonly detail?: string
    }
  /** Not due by its own time: it goes back to where jobs wait for theirs, at no cost. */
  | {
      readonly _tag: "Scheduled"
      readonly lease: Lease
      /** Milliseconds since the epoch. */
      readonly dueAt: number
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
  /** Messages that the store gave up, and that are dead letters now. */
  readonly buried: ReadonlyArray<Buried>
  /** How many messages were left out because they had been taken before: a producer pushed them twice. */
  readonly duplicates: number
  /** Milliseconds until a delayed job is due or a lease ends; absent: there is none. */
  readonly nextDueIn: number | undefined
  /** The store's time, milliseconds since the epoch: a worker's own clock may be wrong. */
  readonly now: number
}

/** What to do with messages that nobody took for long: mail them late, or make dead letters of them. */
export const backlogDecisions = ["send", "bury"] as const

export type BacklogDecision = (typeof backlogDecisions)[number]

/**
 * Whether a worker may take. `Undecided`: no worker ever served this queue and more messages wait than are taken unasked;
 * `Burying`: so many of them are to be buried first.
 */
export type Admission =
  | { readonly _tag: "Admitted" }
  | { readonly _tag: "Undecided"; readonly waiting: number }
  | { readonly _tag: "Burying"; readonly left: number }

/** How much there is of what. */
export interface Counts {
  readonly waiting: number
  readonly scheduled: number
  readonly inHand: number
  readonly retrying: number
  readonly dead: number
}

/** Where a message may be, by the same words as {@link Counts}; dead letters hold none. */
export type Place = Exclude<keyof Counts, "dead">

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
export class NoQueue extends Data.TaggedError("NoQueue")<{
  readonly source: string
  /** What switches it on. */
  readonly line: string
  /** How the configuration was read. */
  readonly notes: ReadonlyArray<string>
}> {
  override get message() {
    return [`the job queue is off, set ${this.line} in ${this.source}`, ...this.notes].join("; ")
  }
}

/** More messages wait than a first worker takes unasked: they may be months old, and their codes dead. */
export class OldBacklog extends Data.TaggedError("OldBacklog")<{ readonly waiting: number }> {
  override get message() {
    return (
      `${this.waiting} messages wait that no worker of this kind has ever taken from; ` +
      "--backlog bury makes dead letters of them, --backlog send mails them however old they are"
    )
  }
}

/** Grants, settles and extends leases; at least once, fenced. */
export class JobStore extends Context.Tag("edumfa-queue/JobStore")<
  JobStore,
  {
    /** What a start block calls it; no secret. */
    readonly name: string
    /** How long a grant or an extension holds at least; on Redis it is up to a quarter more. */
    readonly lease: Duration.Duration
    /** Settles finished attempts and grants up to `free` messages, `suspects` of them under suspicion; by default 1. */
    readonly exchange: (
      settlements: ReadonlyArray<Settlement>,
      free: number,
      suspects?: number
    ) => Effect.Effect<Exchange, JobStoreError>
    /**
     * Extends leases by their full length; for each, in order: whether it was still held. It is the worker's sign of life, also
     * without any.
     */
    readonly extend: (leases: ReadonlyArray<Lease>) => Effect.Effect<ReadonlyArray<boolean>, JobStoreError>
    readonly counts: Effect.Effect<Counts, JobStoreError>
    /** How many workers gave a sign of life within the last lease and have not stopped since. */
    readonly workers: Effect.Effect<number, JobStoreError>
    /** Fails where a worker could not write: a read-only replica, a right that is missing. Changes nothing. */
    readonly writable: Effect.Effect<void, JobStoreError>
    /** Some of the messages of a place, at most `limit`, without taking them; of what waits the oldest comes first. */
    readonly peek: (place: Place, limit: number) => Effect.Effect<ReadonlyArray<Uint8Array>, JobStoreError>
    /**
     * Looks at some of the jobs that wait for their time, and puts those whose own time has come in front of what waits; how
     * many. Called again and again it sees all of them, and those that are to come first each time.
     */
    readonly advance: (isDue: (bytes: Uint8Array) => boolean) => Effect.Effect<number, JobStoreError>
    /**
     * Returns when something may have arrived, or after a while, with what an exchange then granted, up to `free` messages;
     * without one it is a hint to exchange. Never a promise: where it is interrupted, what it granted is taken back.
     */
    readonly arrival: (free: number) => Effect.Effect<Exchange | undefined, JobStoreError>
    /** Throws away what leads to the store and makes it anew; what is under way fails. For a link that is stuck. */
    readonly reconnect: Effect.Effect<void>
    /** What of the store's configuration has no effect here, one line each. */
    readonly notes: ReadonlyArray<string>
    /** What an operator should mend about the store, one line each. */
    readonly advice: Effect.Effect<ReadonlyArray<string>, JobStoreError>
    /** Asks to take from the queue; `limit` messages of an old backlog are taken unasked, 0: any number. */
    readonly admit: (limit: number, decision: BacklogDecision | undefined) => Effect.Effect<Admission, JobStoreError>
    /** Buries some of the messages that a decision was about; answers with how many are left. */
    readonly buryBacklog: (letter: (bytes: Uint8Array) => DeadLetter) => Effect.Effect<number, JobStoreError>
    /** Puts all that is in custody back where other kinds of workers find it, the oldest to be taken first. */
    readonly drain: (options: DrainOptions) => Effect.Effect<Drained, JobStoreError | WorkersAlive>
  }
>() {}
