import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Job from "../../src/Job.ts"
import * as None from "../../src/JobQueue/None.ts"
import { JobQueue } from "../../src/JobQueue.ts"

/** What the handler needs, and whoever enqueues does not. */
class Diary extends Context.Tag("test/Diary")<Diary, Ref.Ref<ReadonlyArray<string>>>() {}

const note = Job.make({
  name: "test.note",
  params: ["text"],
  args: Schema.Struct({ text: Schema.NonEmptyString }),
  run: ({ text }, { number }) =>
    text === "refused"
      ? Effect.fail(new Job.JobFailure({ verdict: "Transient", reason: "the diary is shut" }))
      : text === "broken"
        ? Effect.die(new Error("code 493817"))
        : Effect.flatMap(Diary, (diary) => Ref.update(diary, (all) => [...all, `${number} ${text}`]))
})

const stranger = Job.make({ name: "test.stranger", params: [], args: Schema.Struct({}), run: () => Effect.void })

const queue = None.layer(Job.jobs(note)).pipe(
  Layer.provideMerge(Layer.effect(Diary, Ref.make<ReadonlyArray<string>>([])))
)

const enqueue = (text: string) => Effect.flatMap(JobQueue, ({ enqueue }) => enqueue(note, { text }))

describe("JobQueue.None", () => {
  it.effect("performs a job where it is enqueued, once", () =>
    Effect.gen(function* () {
      const id = yield* enqueue("hello")
      expect(id).toMatch(/^[0-9a-f-]{36}$/)
      expect(yield* Effect.flatMap(Diary, Ref.get)).toEqual(["1 hello"])
    }).pipe(Effect.provide(queue))
  )

  it.effect("shows the caller why a job failed, and does not try again", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(enqueue("refused"))
      expect(error).toMatchObject({ _tag: "EnqueueError", reason: "JobFailed", detail: "the diary is shut" })
      expect(error.cause).toBeInstanceOf(Job.JobFailure)
      expect(error.message).toBe("test.note was not enqueued (JobFailed): the diary is shut")
    }).pipe(Effect.provide(queue))
  )

  it.effect("shows a broken handler without the words of what it threw", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(enqueue("broken"))
      expect(error).toMatchObject({ reason: "JobFailed", detail: "the handler threw" })
      expect(error.message).not.toContain("493817")
    }).pipe(Effect.provide(queue))
  )

  it.effect("refuses a delay, an expired job, a stranger and wrong arguments", () =>
    Effect.gen(function* () {
      const { enqueue } = yield* JobQueue
      const reason = (effect: ReturnType<typeof enqueue>) => Effect.map(Effect.flip(effect), (error) => error.reason)
      expect(yield* reason(enqueue(note, { text: "later" }, { delay: "1 minute" }))).toBe("DelayUnsupported")
      expect(yield* reason(enqueue(note, { text: "late" }, { expires: 0 }))).toBe("Expired")
      expect(yield* reason(enqueue(stranger, {}))).toBe("UnknownJob")
      expect(yield* reason(enqueue(note, { text: "" }))).toBe("InvalidArguments")
      expect(yield* Effect.flatMap(Diary, Ref.get)).toEqual([])
    }).pipe(Effect.provide(queue))
  )
})
