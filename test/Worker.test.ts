import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Job from "../src/Job.ts"
import { JobQueue } from "../src/JobQueue.ts"
import { JobStore, JobStoreError } from "../src/JobStore.ts"
import * as Memory from "../src/Memory.ts"
import * as StopSignal from "../src/StopSignal.ts"
import * as Worker from "../src/Worker.ts"
import { empty, fail, type Handler, makeJob, settled, start, steady } from "./services/TestWorker.ts"

const layer = Memory.layer()

describe("Worker", () => {
  it.scoped("performs what is enqueued, and no more at once than it has slots", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<void>()
      const { enqueue, next, seen } = yield* start(() => Deferred.await(open), { slots: 3 })
      for (const text of ["a", "b", "c", "d", "e"]) yield* enqueue(text)
      expect([(yield* next).text, (yield* next).text, (yield* next).text]).toEqual(["a", "b", "c"])
      yield* settled({ ...empty, waiting: 2, inHand: 3 })
      expect(yield* Queue.size(seen)).toBe(0)
      yield* Deferred.succeed(open, undefined)
      expect([(yield* next).text, (yield* next).text]).toEqual(["d", "e"])
      yield* settled(empty)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("tries again with the delays of the policy, and counts the attempts", () =>
    Effect.gen(function* () {
      const { enqueue, next } = yield* start((_, { number }) => (number < 4 ? fail("Transient") : Effect.void))
      yield* enqueue("a")
      expect(yield* next).toEqual({ text: "a", number: 1, at: 0 })
      for (const [number, delay, at] of [
        [2, 1_000, 1_000],
        [3, 2_000, 3_000],
        [4, 5_000, 8_000]
      ] as const) {
        yield* settled({ ...empty, retrying: 1 })
        yield* TestClock.adjust(delay)
        expect(yield* next).toEqual({ text: "a", number, at })
      }
      yield* settled(empty)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("buries what fails for good, and what it cannot perform", () =>
    Effect.gen(function* () {
      const { enqueue, next } = yield* start(() => fail("Permanent"))
      const stranger = Job.make({ name: "test.stranger", params: [], args: Schema.Struct({}), run: () => Effect.void })
      const liar = Job.make({
        name: "test.echo",
        params: ["text"],
        args: Schema.Struct({ text: Schema.Number }),
        run: () => Effect.void
      })
      yield* enqueue("a")
      yield* next
      const queue = yield* JobQueue
      yield* queue.enqueue(stranger, {})
      yield* queue.enqueue(liar, { text: 493_817 })
      yield* settled({ ...empty, dead: 3 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("asks no attempt for a configuration fault", () =>
    Effect.gen(function* () {
      const { enqueue, next } = yield* start((_, attempt) =>
        attempt.firstTakenAt === 0 ? fail("Configuration") : Effect.void
      )
      yield* enqueue("a")
      expect(yield* next).toMatchObject({ number: 1 })
      yield* settled({ ...empty, retrying: 1 })
      yield* TestClock.adjust("1 minute")
      expect(yield* next).toEqual({ text: "a", number: 1, at: 60_000 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("performs what remains, not what was done", () =>
    Effect.gen(function* () {
      const { enqueue, next } = yield* start((text) =>
        text === "a,b" ? fail("Transient", { text: "b" }) : Effect.void
      )
      yield* enqueue("a,b")
      expect(yield* next).toMatchObject({ text: "a,b", number: 1 })
      yield* settled({ ...empty, retrying: 1 })
      yield* TestClock.adjust("1 second")
      expect(yield* next).toMatchObject({ text: "b", number: 2 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("performs nothing before its delay and nothing after its expiry", () =>
    Effect.gen(function* () {
      const { enqueue, next, seen } = yield* start((text) => (text === "short" ? fail("Transient") : Effect.void))
      yield* enqueue("late", { delay: "1 minute" })
      yield* settled({ ...empty, scheduled: 1 })
      yield* TestClock.adjust("59 seconds")
      expect(yield* Queue.size(seen)).toBe(0)
      yield* TestClock.adjust("1 second")
      expect(yield* next).toMatchObject({ text: "late", at: 60_000 })
      yield* settled(empty)
      yield* enqueue("short", { expires: "1500 millis" })
      expect(yield* next).toMatchObject({ text: "short", at: 60_000 })
      yield* settled({ ...empty, retrying: 1 })
      yield* TestClock.adjust("1 second")
      expect(yield* next).toMatchObject({ text: "short", at: 61_000 })
      // The policy would wait two seconds more; half a second is left.
      yield* settled({ ...empty, dead: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("tells an attempt that takes too long to stop, and interrupts one that does not heed", () =>
    Effect.gen(function* () {
      const reasons = yield* Queue.unbounded<string>()
      const heeding: Handler = (text, { stop, number }) =>
        number > 1
          ? Effect.void
          : text === "deaf"
            ? Effect.onInterrupt(Effect.never, () => Queue.offer(reasons, "interrupted"))
            : Effect.flatMap(StopSignal.wait(stop), (reason) =>
                Effect.zipRight(Queue.offer(reasons, reason), fail("Transient"))
              )
      const { enqueue, next } = yield* start(heeding, { timeout: "3 seconds" })
      yield* enqueue("heeding")
      yield* enqueue("deaf")
      yield* next
      yield* next
      yield* TestClock.adjust("4 seconds")
      expect(yield* Queue.take(reasons)).toBe("Deadline")
      yield* TestClock.adjust("5 seconds")
      expect(yield* Queue.take(reasons)).toBe("interrupted")
      const again = [yield* next, yield* next]
      expect(again.map(({ text, number }) => `${text} ${number}`).sort()).toEqual(["deaf 2", "heeding 2"])
      yield* settled(empty)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("extends the leases of what it has in hand", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<void>()
      const { enqueue, next, seen } = yield* start(() => Deferred.await(open), { timeout: "10 minutes" })
      yield* enqueue("long")
      yield* next
      yield* TestClock.adjust("5 minutes")
      expect(yield* Queue.size(seen)).toBe(0)
      yield* Deferred.succeed(open, undefined)
      yield* settled(empty)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("tells an attempt that has lost its lease to stop, and not the one that has it", () =>
    Effect.gen(function* () {
      const told = yield* Queue.unbounded<string>()
      const second = yield* Deferred.make<void>()
      const store = yield* JobStore
      let deaf = true
      const silent = {
        ...store,
        extend: (...leases: Parameters<typeof store.extend>) =>
          deaf
            ? Effect.fail(new JobStoreError({ reason: "Unavailable", detail: "as scripted" }))
            : store.extend(...leases)
      }
      const { enqueue, next } = yield* Effect.provideService(
        start(
          (_, { stop }) =>
            Effect.raceFirst(
              Effect.flatMap(StopSignal.wait(stop), (reason) => Queue.offer(told, reason)),
              Deferred.await(second)
            ),
          { timeout: "10 minutes", slots: 2 }
        ),
        JobStore,
        silent
      )
      yield* enqueue("slow")
      yield* next
      // No extension comes through, and the lease ends.
      yield* TestClock.adjust("2 seconds")
      expect(yield* next).toMatchObject({ text: "slow", number: 1 })
      deaf = false
      yield* TestClock.adjust("1 second")
      expect(yield* Queue.take(told)).toBe("LeaseLost")
      yield* Deferred.succeed(second, undefined)
      yield* settled(empty)
      expect(yield* Queue.size(told)).toBe(0)
    }).pipe(Effect.provide(Memory.layer({ lease: "2 seconds" })))
  )

  it.scoped("counts it as a failure when a handler interrupts itself", () =>
    Effect.gen(function* () {
      const { enqueue, next, seen } = yield* start((_, { number }) => (number === 1 ? Effect.interrupt : Effect.void))
      yield* enqueue("a")
      expect(yield* next).toEqual({ text: "a", number: 1, at: 0 })
      yield* settled({ ...empty, retrying: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
      yield* TestClock.adjust("1 second")
      expect(yield* next).toEqual({ text: "a", number: 2, at: 1_000 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("leaves a job that was delayed for longer than jobs live all of its retries", () =>
    Effect.gen(function* () {
      const { enqueue, next } = yield* start((_, { number }) => (number === 1 ? fail("Transient") : Effect.void), {
        policy: { ...steady, maxAge: Duration.minutes(1) }
      })
      yield* enqueue("a", { delay: "2 minutes" })
      yield* settled({ ...empty, scheduled: 1 })
      yield* TestClock.adjust("2 minutes")
      expect(yield* next).toMatchObject({ number: 1 })
      yield* settled({ ...empty, retrying: 1 })
      yield* TestClock.adjust("1 second")
      expect(yield* next).toMatchObject({ number: 2 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped(
    "on a stop waits for the answer to what it is telling the store, and takes nothing that comes with it",
    () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const gate = yield* Effect.makeSemaphore(1)
        const slow = {
          ...store,
          exchange: (...told: Parameters<typeof store.exchange>) => gate.withPermits(1)(store.exchange(...told))
        }
        const open = yield* Deferred.make<void>()
        const { job, seen } = yield* makeJob(() => Deferred.await(open))
        const queue = yield* JobQueue
        const worker = yield* Worker.run(Job.jobs(job), { slots: 2 }).pipe(
          Effect.provideService(JobStore, slow),
          Effect.forkScoped
        )
        yield* queue.enqueue(job, { text: "told" })
        yield* Queue.take(seen)
        // The store answers no more, and then the attempt ends.
        yield* gate.take(1)
        yield* Deferred.succeed(open, undefined)
        const stopped = yield* Effect.fork(Fiber.interrupt(worker))
        yield* queue.enqueue(job, { text: "not taken" })
        yield* TestClock.adjust("3 seconds")
        expect((yield* store.counts).inHand).toBe(1)
        yield* gate.release(1)
        yield* Fiber.join(stopped)
        const counts = yield* store.counts
        expect(counts.inHand).toBe(0)
        expect(counts.waiting + counts.retrying).toBe(1)
        expect(yield* Queue.size(seen)).toBe(0)
      }).pipe(Effect.provide(layer))
  )

  it.scoped("on a stop lets what is in hand end, and takes no more", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<void>()
      const { worker, enqueue, next, seen } = yield* start(() => Deferred.await(open), { slots: 1 })
      yield* enqueue("in hand")
      yield* enqueue("waiting")
      yield* next
      const stopped = yield* Effect.fork(Fiber.interrupt(worker))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(stopped)
      yield* settled({ ...empty, waiting: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("on a stop releases what does not end in its grace time, at no cost", () =>
    Effect.gen(function* () {
      const { worker, enqueue, next } = yield* start((_, { number }) => (number === 1 ? Effect.never : Effect.void))
      yield* enqueue("slow")
      yield* next
      const stopped = yield* Effect.fork(Fiber.interrupt(worker))
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.join(stopped)
      yield* settled({ ...empty, retrying: 1 })
      const { grants } = yield* Effect.flatMap(JobStore, (store) => store.exchange([], 1))
      expect(grants).toMatchObject([{ attempts: 0, deliveries: 1 }])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("writes one line an attempt, with its outcome and without its arguments", () =>
    Effect.gen(function* () {
      const lines = yield* Ref.make<ReadonlyArray<string>>([])
      const logger = Logger.make(({ logLevel, message }) => {
        Effect.runSync(Ref.update(lines, (all) => [...all, `${logLevel.label} ${String(message)}`]))
      })
      yield* Effect.gen(function* () {
        const { enqueue, next } = yield* start((_, { number }) => (number === 1 ? fail("Transient") : Effect.void))
        yield* enqueue("code 493817")
        yield* next
        yield* settled({ ...empty, retrying: 1 })
        yield* TestClock.adjust("1 second")
        yield* next
        yield* settled(empty)
      }).pipe(Effect.provide(Logger.add(logger)))
      expect((yield* Ref.get(lines)).filter((line) => !line.includes("started"))).toEqual([
        "WARN retry in 1.0 s: as scripted,job=test.echo attempt=1 ms=0",
        "INFO done,job=test.echo attempt=2 ms=0"
      ])
    }).pipe(Effect.provide(layer))
  )
})
