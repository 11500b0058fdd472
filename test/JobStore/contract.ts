/**
 * What every implementation of the taking side promises. A test file per implementation runs it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import { type DeadLetter, type Grant, JobStore, type Settlement } from "../../src/JobStore.ts"

/** A job that carries a word. */
const word = Job.make({
  name: "test.word",
  params: ["word"],
  args: Schema.Struct({ word: Schema.String }),
  run: () => Effect.void
})

const codec = Huey.make()

const wordOf = (grant: Grant) => Effect.map(codec.decode(grant.bytes), (message) => message.call.args[0])

const enqueue = (...words: ReadonlyArray<string>) =>
  Effect.flatMap(JobQueue, (queue) => Effect.forEach(words, (word_) => queue.enqueue(word, { word: word_ })))

const exchange = (settlements: ReadonlyArray<Settlement>, free: number) =>
  Effect.flatMap(JobStore, (store) => store.exchange(settlements, free))

const words = (grants: ReadonlyArray<Grant>) => Effect.forEach(grants, wordOf)

const takeNow = Effect.flatMap(exchange([], 1), ({ grants: [grant] }) =>
  grant === undefined ? Effect.fail("nothing to take") : Effect.succeed(grant)
)

/** Takes one message as soon as there is one. */
const takeOne = takeNow.pipe(Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds"))))

const done = ({ lease }: Grant): Settlement => ({ _tag: "Done", lease })

const retry = ({ lease }: Grant, delay: number, counted = true): Settlement => ({
  _tag: "Retry",
  lease,
  delay,
  counted
})

/** Any. */
export const letter: DeadLetter = {
  jobId: "an id",
  job: "test.word",
  reason: "Failed",
  detail: "for the test",
  attempts: 1,
  deliveries: 1,
  firstTakenAt: 0
}

const empty = { waiting: 0, scheduled: 0, inHand: 0, retrying: 0, dead: 0 }

/** Every case gets a queue of its own; `lease` is how long its grants hold. */
export const suite = (name: string, layer: (lease: Duration.Duration) => Layer.Layer<JobQueue | JobStore>) => {
  const queue = (lease = Duration.minutes(1)) => Effect.provide(layer(lease))
  const counts = Effect.flatMap(JobStore, (store) => store.counts)

  describe(`JobStore, ${name}`, () => {
    it.live("grants the oldest first, never more than is free, nothing twice", () =>
      Effect.gen(function* () {
        yield* enqueue("a", "b", "c")
        expect((yield* exchange([], 0)).grants).toEqual([])
        const first = yield* exchange([], 2)
        const second = yield* exchange([], 2)
        expect(yield* words(first.grants)).toEqual(["a", "b"])
        expect(yield* words(second.grants)).toEqual(["c"])
        expect((yield* exchange([], 9)).grants).toEqual([])
        expect(new Set([...first.grants, ...second.grants].map(({ lease }) => lease.token)).size).toBe(3)
        expect(first.grants.map(({ attempts, deliveries }) => ({ attempts, deliveries }))).toEqual([
          { attempts: 0, deliveries: 1 },
          { attempts: 0, deliveries: 1 }
        ])
        expect(yield* counts).toEqual({ ...empty, inHand: 3 })
      }).pipe(queue())
    )

    it.live("forgets what is done, once", () =>
      Effect.gen(function* () {
        yield* enqueue("a", "b")
        const { grants } = yield* exchange([], 2)
        const settled = yield* exchange(grants.map(done), 0)
        expect(settled.settled).toEqual([true, true])
        expect(yield* counts).toEqual(empty)
        expect((yield* exchange(grants.map(done), 0)).settled).toEqual([false, false])
      }).pipe(queue())
    )

    it.live("settles and grants in one call", () =>
      Effect.gen(function* () {
        yield* enqueue("a", "b")
        const first = yield* takeOne
        const { settled, grants } = yield* exchange([done(first)], 1)
        expect(settled).toEqual([true])
        expect(yield* words(grants)).toEqual(["b"])
        expect(yield* counts).toEqual({ ...empty, inHand: 1 })
      }).pipe(queue())
    )

    it.live("gives a retry back when it is due, with its attempts and what remains of it", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const first = yield* takeOne
        const message = yield* codec.decode(first.bytes)
        const bytes = yield* codec.encode(Huey.withCall(message, { args: ["rest"], kwargs: {} }))
        const { nextDueIn } = yield* exchange(
          [{ _tag: "Retry", lease: first.lease, delay: 150, counted: true, bytes }],
          1
        )
        expect(nextDueIn).toBeGreaterThan(0)
        expect(nextDueIn).toBeLessThanOrEqual(150)
        expect((yield* exchange([], 1)).grants).toEqual([])
        expect(yield* counts).toEqual({ ...empty, retrying: 1 })
        const second = yield* takeOne
        expect(yield* wordOf(second)).toBe("rest")
        expect(second).toMatchObject({ attempts: 1, deliveries: 1, firstTakenAt: first.firstTakenAt })
        yield* exchange([retry(second, 0, false)], 0)
        expect(yield* takeOne).toMatchObject({ attempts: 1, deliveries: 1 })
      }).pipe(queue())
    )

    it.live("lets a job that is not due wait for its own time, at no cost", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const { lease } = yield* takeOne
        const { now } = yield* exchange([], 0)
        const { nextDueIn, settled } = yield* exchange([{ _tag: "Scheduled", lease, dueAt: now + 150 }], 1)
        expect(settled).toEqual([true])
        expect(nextDueIn).toBeGreaterThan(0)
        expect(nextDueIn).toBeLessThanOrEqual(150)
        expect((yield* exchange([], 1)).grants).toEqual([])
        expect(yield* counts).toEqual({ ...empty, scheduled: 1 })
        const second = yield* takeOne
        expect(yield* wordOf(second)).toBe("a")
        expect(second).toMatchObject({ attempts: 0, deliveries: 1 })
        expect((yield* exchange([], 0)).now).toBeGreaterThanOrEqual(now + 150)
        expect((yield* exchange([done(second)], 1)).settled).toEqual([true])
        expect(yield* counts).toEqual(empty)
      }).pipe(queue())
    )

    it.live("gives a released one back at once and at no cost", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const first = yield* takeOne
        const { settled, grants } = yield* exchange([{ _tag: "Released", lease: first.lease }], 1)
        expect(settled).toEqual([true])
        expect(grants).toMatchObject([{ attempts: 0, deliveries: 1, firstTakenAt: first.firstTakenAt }])
        expect(grants[0]?.lease.token).not.toBe(first.lease.token)
      }).pipe(queue())
    )

    it.live("keeps a dead letter", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const { lease } = yield* takeOne
        expect((yield* exchange([{ _tag: "Dead", lease, letter }], 1)).settled).toEqual([true])
        expect(yield* counts).toEqual({ ...empty, dead: 1 })
      }).pipe(queue())
    )

    it.live("grants anew when a lease ends, and refuses its former holder", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const former = yield* takeOne
        const present = yield* takeOne
        expect(yield* wordOf(present)).toBe("a")
        expect(present).toMatchObject({ deliveries: 2, attempts: 0, firstTakenAt: former.firstTakenAt })
        const store = yield* JobStore
        expect(yield* store.extend([former.lease, present.lease])).toEqual([false, true])
        const { settled } = yield* exchange([done(former), done(present)], 0)
        expect(settled).toEqual([false, true])
        expect(yield* counts).toEqual(empty)
      }).pipe(queue(Duration.millis(300)))
    )

    it.live("takes the settlement of a lease that ended while nobody else has the job", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        const grant = yield* takeOne
        yield* Effect.flatMap(JobStore, (store) => store.extend([grant.lease]))
        expect((yield* exchange([done(grant)], 1)).settled).toEqual([true])
      }).pipe(queue(Duration.millis(1)))
    )

    it.live("holds a lease that is extended", () =>
      Effect.gen(function* () {
        yield* enqueue("a", "b")
        const store = yield* JobStore
        const [kept, left] = (yield* exchange([], 2)).grants
        if (kept === undefined || left === undefined) return yield* Effect.fail("two are granted")
        // The other one's return is the clock: by then the extended lease would have ended too.
        const other = yield* Effect.zipRight(store.extend([kept.lease]), takeNow).pipe(
          Effect.retry(Schedule.spaced("20 millis"))
        )
        expect(yield* wordOf(other)).toBe("b")
        expect((yield* exchange([done(kept)], 0)).settled).toEqual([true])
      }).pipe(queue(Duration.millis(300)))
    )

    it.live("gives up what was granted six times without an end: its worker should have buried it", () =>
      Effect.gen(function* () {
        yield* enqueue("a")
        for (const deliveries of [1, 2, 3, 4, 5, 6]) expect(yield* takeOne).toMatchObject({ deliveries })
        const { buried } = yield* exchange([], 1).pipe(
          Effect.flatMap((reply) => (reply.buried.length === 0 ? Effect.fail("not yet") : Effect.succeed(reply))),
          Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
        )
        expect(buried).toMatchObject([{ letter: { reason: "Poison", deliveries: 6, attempts: 0 } }])
        const [given] = buried
        if (given === undefined) return yield* Effect.fail("one is buried")
        expect((yield* codec.decode(given.bytes)).call.args).toEqual(["a"])
        expect(yield* counts).toEqual({ ...empty, dead: 1 })
      }).pipe(queue(Duration.millis(30)))
    )

    it.live("grants few of those under suspicion, so that those beside a message that kills are not taken for it", () =>
      Effect.gen(function* () {
        yield* enqueue("a", "b", "c")
        const { exchange: ask, extend } = yield* JobStore
        const all = (wanted: number) =>
          exchange([], 4).pipe(
            Effect.filterOrFail(
              ({ grants }) => grants.length === wanted,
              () => new Error("not yet")
            ),
            Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
          )
        // Two workers die, each with all three of them.
        yield* all(3)
        yield* all(3)
        const third = yield* all(1)
        expect(third.grants).toMatchObject([{ deliveries: 3 }])
        yield* enqueue("fresh")
        // It is in hand: nothing but the fresh one may join it, and the store does not say that something is due.
        const fourth = yield* ask([], 4, 0)
        expect(yield* words(fourth.grants)).toEqual(["fresh"])
        yield* extend([...third.grants, ...fourth.grants].map(({ lease }) => lease))
        expect((yield* ask([], 4, 0)).grants).toEqual([])
        const rest = yield* ask([...third.grants, ...fourth.grants].map(done), 4, 2)
        expect((yield* words(rest.grants)).length).toBe(2)
      }).pipe(queue(Duration.millis(200)))
    )

    it.live("lets neither retries nor fresh jobs starve", () =>
      Effect.gen(function* () {
        yield* enqueue("r1", "r2", "r3", "r4")
        const { grants } = yield* exchange([], 4)
        yield* exchange(
          grants.map((grant) => retry(grant, 0)),
          0
        )
        yield* enqueue("f1", "f2", "f3", "f4")
        const mixed = yield* words((yield* exchange([], 4)).grants)
        expect([...mixed].sort()).toEqual(["f1", "f2", "r1", "r2"])
        expect([...(yield* words((yield* exchange([], 8)).grants))].sort()).toEqual(["f3", "f4", "r3", "r4"])
      }).pipe(queue())
    )

    it.live("says when a message arrives", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const arrived = yield* Effect.zipRight(enqueue("a"), store.arrival(1))
        expect(yield* wordOf(arrived?.grants[0] ?? (yield* takeOne))).toBe("a")
      }).pipe(queue())
    )
  })
}
