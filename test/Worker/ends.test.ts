/**
 * How a worker ends jobs: by age, by expiry, as poison, and what the job itself has to say to it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import * as Job from "../../src/Job.ts"
import { JobStore } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as Worker from "../../src/Worker.ts"
import { empty, fail, logging, settled, start, steady } from "../services/TestWorker.ts"

const minute = { ...steady, maxAge: Duration.minutes(1) }

describe("the end of a job", () => {
  it.scoped("is given up when it is as old as its policy lets jobs become", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { enqueue, seen } = yield* start(() => fail("Transient"), { policy: minute })
      yield* enqueue("a")
      yield* TestClock.adjust("55 seconds")
      expect(lines.at(-1)).toContain("WARN retry in")
      yield* TestClock.adjust("10 seconds")
      yield* settled({ ...empty, dead: 1 })
      expect(lines.filter((line) => /^ERROR dead: given up: as scripted/.test(line))).toHaveLength(1)
      const attempts = yield* Queue.size(seen)
      yield* TestClock.adjust("1 minute")
      expect(yield* Queue.size(seen)).toBe(attempts)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("counts the age from the enqueueing, which its id tells", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      // The id of a job is made when it is enqueued; the worker comes to it too late.
      const open = yield* Deferred.make<void>()
      const { enqueue, next, seen, worker } = yield* start(() => Deferred.await(open), { policy: minute, slots: 1 })
      yield* enqueue("in hand")
      yield* next
      yield* enqueue("waits")
      yield* TestClock.adjust("61 seconds")
      yield* Deferred.succeed(open, undefined)
      yield* settled({ ...empty, dead: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
      expect(lines.some((line) => line.startsWith("ERROR expired: older than such a job may become"))).toBe(true)
      yield* Fiber.interrupt(worker)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("comes earlier or later where the job says how old it may become", () =>
    Effect.gen(function* () {
      const { enqueue, next, seen } = yield* start(
        () => fail("Transient"),
        { policy: steady },
        { maxAge: ({ text }) => (text === "short" ? Duration.seconds(4) : undefined) }
      )
      yield* enqueue("short")
      expect((yield* next).at).toBe(0)
      yield* TestClock.adjust("10 seconds")
      // After 1 second, then 2; a retry in 5 seconds would come too late.
      expect([(yield* next).at, (yield* next).at]).toEqual([1_000, 3_000])
      yield* settled({ ...empty, dead: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("is told to the job, once, with the reason; what it throws then changes nothing", () =>
    Effect.gen(function* () {
      const told = yield* Queue.unbounded<string>()
      const { enqueue } = yield* start(
        (text) => (text === "late" ? fail("Transient") : fail("Permanent")),
        {},
        {
          ended: ({ text }, { _tag, detail }) =>
            Effect.zipRight(
              Queue.offer(told, `${text} ${_tag}: ${detail}`),
              text === "thrower" ? Effect.dieMessage("a mistake") : Effect.void
            )
        }
      )
      yield* enqueue("refused")
      expect(yield* Queue.take(told)).toBe("refused Dead: as scripted")
      yield* enqueue("thrower")
      expect(yield* Queue.take(told)).toBe("thrower Dead: as scripted")
      yield* enqueue("late", { expires: "1500 millis" })
      yield* TestClock.adjust("2 seconds")
      expect(yield* Queue.take(told)).toBe("late Expired: its time was over after: as scripted")
      yield* settled({ ...empty, dead: 3 })
      expect(yield* Queue.size(told)).toBe(0)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("is not performed a sixth time where five workers died of it", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { enqueue, seen, worker } = yield* start(() => Effect.void)
      yield* Fiber.interrupt(worker)
      yield* enqueue("poison")
      const store = yield* JobStore
      // Five workers that take it and give no sign of life.
      for (let death = 1; death <= 5; death++) {
        expect((yield* store.exchange([], 1)).grants).toMatchObject([{ deliveries: death }])
        yield* TestClock.adjust("31 seconds")
      }
      yield* start(() => Effect.dieMessage("never performed"))
      yield* settled({ ...empty, dead: 1 })
      expect(yield* Queue.size(seen)).toBe(0)
      expect(lines.at(-1)).toMatch(
        /^ERROR dead: Poison: granted too often without an end id=\S+ job=test.echo attempt=1$/
      )
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })
})

describe("an attempt", () => {
  it.scoped("waits as long as the job asks, at no cost, where it could not be begun", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { enqueue, next } = yield* start((_, { number }) =>
        lines.some((line) => line.includes("waits 7.0 s")) || number > 1
          ? Effect.void
          : Effect.fail(new Job.JobFailure({ verdict: "Postponed", reason: "the mail server is away", delay: 7_000 }))
      )
      yield* enqueue("a")
      yield* next
      yield* settled({ ...empty, retrying: 1 })
      expect(
        lines.filter((line) => /^DEBUG waits 7\.0 s: the mail server is away .*attempt=1/.test(line))
      ).toHaveLength(1)
      yield* TestClock.adjust("7 seconds")
      expect(yield* next).toEqual({ text: "a", number: 1, at: 7_000 })
      yield* settled(empty)
    }).pipe(Effect.provide([Memory.layer(), layer, Logger.minimumLogLevel(LogLevel.Debug)]))
  })

  it.scoped("has the deadline of its job where that brings one", () =>
    Effect.gen(function* () {
      const reasons = yield* Queue.unbounded<string>()
      const { enqueue, next } = yield* start(
        (_, { stop, number }) =>
          number > 1
            ? Effect.void
            : Effect.flatMap(StopSignal.wait(stop), (reason) =>
                Effect.zipRight(Queue.offer(reasons, reason), fail("Transient"))
              ),
        { timeout: "1 hour" },
        { timeout: "3 seconds" }
      )
      yield* enqueue("a")
      yield* next
      yield* TestClock.adjust("4 seconds")
      expect(yield* Queue.take(reasons)).toBe("Deadline")
      yield* TestClock.adjust("1 second")
      expect(yield* next).toMatchObject({ number: 2 })
    }).pipe(Effect.provide(Memory.layer()))
  )
})

describe("a stop", () => {
  it.scoped("ends the grace time at once on a second signal", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const second = yield* Deferred.make<void>()
      const { enqueue, next, worker } = yield* start(() => Effect.never, { hurry: Deferred.await(second) })
      yield* enqueue("slow")
      yield* next
      const stopped = yield* Effect.fork(Fiber.interrupt(worker))
      yield* TestClock.adjust("1 second")
      expect(stopped.unsafePoll()).toBeNull()
      yield* Deferred.succeed(second, undefined)
      yield* TestClock.adjust("250 millis")
      yield* Fiber.join(stopped)
      yield* settled({ ...empty, retrying: 1 })
      expect(lines.filter((line) => /released, the worker stops.* id=[0-9a-f-]{36}/.test(line))).toHaveLength(1)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })
})

describe("isTaking", () => {
  it.scoped("is true while the take loop comes round and the store answers, and no longer", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      const gate = yield* Effect.makeSemaphore(1)
      const slow = {
        ...store,
        exchange: (...told: Parameters<typeof store.exchange>) => gate.withPermits(1)(store.exchange(...told))
      }
      const job = Job.jobs()
      const worker = yield* Effect.provideService(Worker.make(job), JobStore, slow)
      expect(yield* worker.isTaking()).toBe(false)
      yield* Effect.forkScoped(worker.run)
      yield* TestClock.adjust("1 second")
      expect(yield* worker.isTaking()).toBe(true)
      yield* TestClock.adjust("2 minutes")
      expect(yield* worker.isTaking()).toBe(true)
      yield* gate.take(1)
      yield* TestClock.adjust("31 seconds")
      expect(yield* worker.isTaking()).toBe(false)
      expect(yield* worker.isTaking("1 minute")).toBe(true)
      yield* gate.release(1)
      yield* TestClock.adjust("1 second")
      expect(yield* worker.isTaking()).toBe(true)
    }).pipe(Effect.provide(Memory.layer()))
  )
})
