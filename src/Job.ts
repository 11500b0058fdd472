/**
 * A job: its names on the wire, the schema of its arguments, its handler; and the set of jobs that a worker knows.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Decided from "./Decided.ts"
import * as Binding from "./Job/Binding.ts"
import * as Unchanged from "./Job/Unchanged.ts"
import type { RetryPolicy } from "./RetryPolicy.ts"
import type { StopSignal } from "./StopSignal.ts"

/** The arguments as Python passes them. */
export interface Call {
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
}

/** What a handler is told about the attempt it makes. */
export interface Attempt {
  readonly jobId: string
  /** From 1; earlier attempts that failed at no cost do not count. */
  readonly number: number
  /** Milliseconds since the epoch; the same for all attempts at one job. */
  readonly firstTakenAt: number
  /** Milliseconds since the epoch; past it the job is worthless. */
  readonly expiresAt: number | undefined
  readonly stop: StopSignal
}

/**
 * What a failure means for the job: try again, never again, wait until somebody mends a configuration (costs no
 * attempt), nobody knows whether it was done (done again), or it was not begun, for what it needs is not to be had now
 * (costs no attempt either).
 */
export type Verdict = "Transient" | "Permanent" | "Configuration" | "Unknown" | "Postponed"

/** A job that was not done, or not wholly. */
export class JobFailure<out A = never> extends Error {
  readonly _tag = "JobFailure"
  readonly verdict: Verdict
  /** One line for the log and the dead letter: no argument of the job. */
  readonly reason: string
  /** What is left of a job that was partly done. */
  readonly remaining: A | undefined
  /** Milliseconds that the job itself asks to wait; absent: as its policy says. */
  readonly delay: number | undefined

  constructor(options: {
    readonly verdict: Verdict
    readonly reason: string
    readonly cause?: unknown
    readonly remaining?: A | undefined
    readonly delay?: number | undefined
  }) {
    super(options.reason, { cause: options.cause })
    this.name = "JobFailure"
    this.verdict = options.verdict
    this.reason = options.reason
    this.remaining = options.remaining
    this.delay = options.delay
  }
}

/** How a job ended that was not done. */
export interface End {
  readonly _tag: "Dead" | "Expired"
  /** One line: no argument of the job. */
  readonly detail: string
}

/** A job whose arguments were accepted. */
export interface Prepared<out R> {
  readonly perform: (attempt: Attempt) => Effect.Effect<void, JobFailure<Call>, R>
  /** Runs after the attempt that found the job to be never done. */
  readonly ended: (end: End) => Effect.Effect<void, never, R>
  /** How old a job without an expiry may become; absent: as its policy says. */
  readonly maxAge: Duration.Duration | undefined
}

/** A job with arguments `A` whose handler needs `R`. The schema is hidden in two functions: sets need no `any`. */
export interface Job<in A, out R> {
  readonly names: readonly [onTheWire: string, ...aliases: ReadonlyArray<string>]
  /** Decided (`Decided.ts`) where the schema needs no fiber, as is what `prepare` answers with. */
  readonly encode: (args: A) => Effect.Effect<Call, ParseResult.ParseError>
  readonly prepare: (call: Call) => Effect.Effect<Prepared<R>, ParseResult.ParseError>
  /** Absent: the worker's. */
  readonly policy: RetryPolicy | undefined
  /** What an attempt may take before it is told to stop; absent: the worker's. */
  readonly timeout: Duration.Duration | undefined
}

/** The jobs that a worker or the queue `None` can perform, by every name they have on the wire. */
export interface Jobs<out R> extends ReadonlyMap<string, Job<never, R>> {}

/**
 * Makes a job.
 *
 * `name` is its name on the wire, `aliases` are other names it answers to; `params` are the fields of the encoded
 * arguments in the order Python passes them; `run` does the work and fails with a `JobFailure` that may carry what
 * remains to be done.
 */
export const make = <A, I extends { readonly [K in keyof I]: unknown }, R>(options: {
  readonly name: string
  readonly aliases?: ReadonlyArray<string>
  readonly params: ReadonlyArray<keyof I & string>
  readonly args: Schema.Schema<A, I>
  readonly run: (args: A, attempt: Attempt) => Effect.Effect<void, JobFailure<A>, R>
  readonly policy?: RetryPolicy
  /** What an attempt may take before it is told to stop. Default: the worker's. */
  readonly timeout?: Duration.DurationInput
  /** How old a job with these arguments may become that has no expiry. Default: the policy's. */
  readonly maxAge?: (args: A) => Duration.Duration | undefined
  /**
   * Runs after the attempt that found the job dead or expired, before the store knows: once more where the worker dies
   * between. It may take 10 seconds; what it throws is logged and changes nothing. Default: nothing.
   */
  readonly ended?: (args: A, end: End) => Effect.Effect<void, never, R>
  /** The handler ends by itself when it is told to stop, so that it is never interrupted and its answer never lost. */
  readonly heedsStop?: boolean
}): Job<A, R> => {
  const { args: schema, params } = options
  const run: typeof options.run =
    options.heedsStop === true ? options.run : (args, attempt) => Effect.interruptible(options.run(args, attempt))
  const encodeArgs = Schema.encode(schema)
  const decodeArgs = Schema.decodeUnknown(schema)
  const isUnchanged = Unchanged.make(schema)
  const call = (named: I) => Binding.unbind(params, { ...named })
  const encode = (args: A): Effect.Effect<Call, ParseResult.ParseError> => {
    if (isUnchanged(args)) return Either.right(Binding.unbind(params, args))
    return Decided.map(encodeArgs(args), call)
  }
  const remainingCall = (failure: JobFailure<A>): Effect.Effect<never, JobFailure<Call>> => {
    const { verdict, reason, cause, remaining, delay } = failure
    return remaining === undefined
      ? Effect.fail(new JobFailure({ verdict, reason, cause, delay }))
      : Effect.flatMap(Effect.orDie(encode(remaining)), (call) =>
          Effect.fail(new JobFailure({ verdict, reason, cause, delay, remaining: call }))
        )
  }
  const prepared = (args: A): Prepared<R> => ({
    perform: (attempt) => Effect.catchAll(run(args, attempt), remainingCall),
    ended: (end) => options.ended?.(args, end) ?? Effect.void,
    maxAge: options.maxAge?.(args)
  })
  return {
    names: [options.name, ...(options.aliases ?? [])],
    policy: options.policy,
    timeout: options.timeout === undefined ? undefined : Duration.decode(options.timeout),
    encode,
    prepare: (call) => {
      const named = Binding.bind(schema.ast, params, call)
      if (Either.isLeft(named)) return Either.left(named.left)
      try {
        if (isUnchanged(named.right)) return Either.right(prepared(named.right))
        return Decided.map(decodeArgs(named.right), prepared)
      } catch (defect) {
        return Effect.die(defect)
      }
    }
  }
}

/** The set of jobs a worker knows; a name that two jobs claim is a mistake in the program and throws. */
export const jobs = <const Rs extends ReadonlyArray<unknown>>(
  ...list: { readonly [K in keyof Rs]: Job<never, Rs[K]> }
): Jobs<Rs[number]> => {
  const byName = new Map<string, Job<never, Rs[number]>>()
  for (const job of list) {
    for (const name of job.names) {
      if (byName.has(name)) throw new Error(`two jobs are called ${name}`)
      byName.set(name, job)
    }
  }
  return byName
}

/** Says in one line what is wrong with the arguments of a call, without any of their values. */
export const explain = (error: ParseResult.ParseError): string => {
  const path: Array<string> = []
  let issue = error.issue
  for (;;) {
    switch (issue._tag) {
      case "Pointer":
        path.push(...(Array.isArray(issue.path) ? issue.path : [issue.path]).map(String))
        issue = issue.issue
        break
      case "Composite": {
        const first = Array.isArray(issue.issues) ? issue.issues[0] : issue.issues
        issue = first
        break
      }
      case "Refinement":
      case "Transformation":
        issue = issue.issue
        break
      default: {
        // What is deeper than a parameter may be a key of the message's own.
        const where = path[0] ?? "arguments"
        if (issue._tag === "Missing") return `${where}: missing`
        if (issue._tag === "Unexpected") return `${where}: unexpected`
        if (issue.actual === Binding.ours && issue.message !== undefined) return `${where}: ${issue.message}`
        return `${where}: expected ${String(issue.ast)}`
      }
    }
  }
}
