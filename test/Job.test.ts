import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Job from "../src/Job.ts"
import * as StopSignal from "../src/StopSignal.ts"

const attempt: Job.Attempt = {
  jobId: "id",
  number: 1,
  firstTakenAt: 0,
  expiresAt: undefined,
  stop: StopSignal.never
}

const Args = Schema.Struct({ to: Schema.String, code: Schema.Number, note: Schema.optional(Schema.String) })

const make = (run: (args: typeof Args.Type) => Effect.Effect<void, Job.JobFailure<typeof Args.Type>>) =>
  Job.make({ name: "test.job", aliases: ["other.job"], params: ["to", "code", "note"], args: Args, run })

const performed = (call: Job.Call) =>
  Effect.gen(function* () {
    const seen = yield* Ref.make<unknown>(undefined)
    const prepared = yield* make((args) => Ref.set(seen, args)).prepare(call)
    yield* prepared.perform(attempt)
    return yield* Ref.get(seen)
  })

const refused = (call: Job.Call) =>
  make(() => Effect.void)
    .prepare(call)
    .pipe(Effect.flip, Effect.map(Job.explain))

describe("Job", () => {
  it.effect("binds arguments as Python does, by position and by keyword", () =>
    Effect.gen(function* () {
      expect(yield* performed({ args: ["ada", 7, "hi"], kwargs: {} })).toEqual({ to: "ada", code: 7, note: "hi" })
      expect(yield* performed({ args: ["ada"], kwargs: { code: 7 } })).toEqual({ to: "ada", code: 7 })
      expect(yield* performed({ args: [], kwargs: { code: 7, to: "ada" } })).toEqual({ to: "ada", code: 7 })
    })
  )

  it.effect("says what is wrong with arguments, never what they are", () =>
    Effect.gen(function* () {
      expect(yield* refused({ args: ["ada", "493817"], kwargs: {} })).toBe("code: expected number")
      expect(yield* refused({ args: ["ada"], kwargs: {} })).toBe("code: missing")
      expect(yield* refused({ args: ["ada", 1, "", 4], kwargs: {} })).toBe("arguments: takes 3 arguments, 4 were given")
      expect(yield* refused({ args: ["ada", 1], kwargs: { to: "bob" } })).toBe(
        "arguments: two values for the argument to"
      )
      expect(yield* refused({ args: ["ada", 1], kwargs: { "493817": 1 } })).toBe(
        "arguments: a keyword argument that the job does not have"
      )
    })
  )

  it.effect("repeats no value that a schema puts into its message, and no key of the message", () =>
    Effect.gen(function* () {
      const job = Job.make({
        name: "test.telling",
        params: ["code", "by"],
        args: Schema.Struct({
          code: Schema.NumberFromString,
          by: Schema.Record({ key: Schema.String, value: Schema.Number })
        }),
        run: () => Effect.void
      })
      const wrong = (code: string, by: Record<string, unknown>) =>
        Effect.map(Effect.flip(job.prepare({ args: [code, by], kwargs: {} })), Job.explain)
      expect(yield* wrong("x493817", {})).toBe("code: expected NumberFromString")
      expect(yield* wrong("1", { "493817": "x" })).toBe("by: expected number")
    })
  )

  it.effect("writes arguments by position up to the first one left out", () =>
    Effect.gen(function* () {
      const job = make(() => Effect.void)
      expect(yield* job.encode({ to: "ada", code: 7 })).toEqual({ args: ["ada", 7], kwargs: {} })
      const gap = Job.make({
        name: "gap",
        params: ["a", "b", "c"],
        args: Schema.Struct({ a: Schema.String, b: Schema.optional(Schema.String), c: Schema.optional(Schema.String) }),
        run: () => Effect.void
      })
      expect(yield* gap.encode({ a: "1", c: "3" })).toEqual({ args: ["1"], kwargs: { c: "3" } })
    })
  )

  it.effect("turns what remains of a job into a call", () =>
    Effect.gen(function* () {
      const job = make((args) =>
        Effect.fail(new Job.JobFailure({ verdict: "Transient", reason: "half", remaining: { ...args, to: "bob" } }))
      )
      const prepared = yield* job.prepare({ args: ["ada", 7], kwargs: {} })
      const failure = yield* Effect.flip(prepared.perform(attempt))
      expect(failure.verdict).toBe("Transient")
      expect(failure.remaining).toEqual({ args: ["bob", 7], kwargs: {} })
    })
  )

  it("knows a job by each of its names, and no name twice", () => {
    const job = make(() => Effect.void)
    expect([...Job.jobs(job).keys()]).toEqual(["test.job", "other.job"])
    expect(() => Job.jobs(job, job)).toThrow("two jobs are called test.job")
  })
})
