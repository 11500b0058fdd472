/**
 * What a worker does when its store is late, silent, or in another time.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import * as Job from "../../src/Job.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import { JobStore, JobStoreError } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import * as Worker from "../../src/Worker.ts"
import { empty, logging, makeJob, settled, start } from "../services/TestWorker.ts"

/** A worker with a job that was granted at once, and whose store answers when the gate opens. */
const grantedLate = Effect.gen(function* () {
  const store = yield* JobStore
  const gate = yield* Effect.makeSemaphore(1)
  let failing = 0
  const late = {
    ...store,
    exchange: (...told: Parameters<typeof store.exchange>) =>
      Effect.tap(store.exchange(...told), () => gate.withPermits(1)(Effect.void)),
    extend: (...leases: Parameters<typeof store.extend>) =>
      failing-- > 0
        ? Effect.fail(new JobStoreError({ reason: "Unavailable", detail: "as scripted" }))
        : store.extend(...leases)
  }
  const extendFails = (times: number) => {
    failing = times
  }
  const { job, seen } = yield* makeJob(() => Effect.void)
  const queue = yield* JobQueue
  yield* gate.take(1)
  yield* queue.enqueue(job, { text: "late" })
  yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, late))
  yield* settled({ ...empty, inHand: 1 })
  return { extendFails, gate, seen, store }
})

describe("a worker with nothing to do", () => {
  it.scoped("exchanges twice a minute, and gives a sign of life each second beat, while its wake-ups come back", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      const calls = { exchange: 0, extend: 0 }
      const counted = {
        ...store,
        exchange: (...told: Parameters<typeof store.exchange>) =>
          Effect.suspend(() => {
            calls.exchange += 1
            return store.exchange(...told)
          }),
        extend: (...leases: Parameters<typeof store.extend>) =>
          Effect.suspend(() => {
            calls.extend += 1
            return store.extend(...leases)
          }),
        // As on Redis: it comes back with nothing.
        arrival: () => Effect.delay(store.exchange([], 0), "10 seconds")
      }
      const { job } = yield* makeJob(() => Effect.void)
      yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, counted))
      yield* TestClock.adjust("61 seconds")
      const before = { ...calls }
      yield* TestClock.adjust("10 minutes")
      expect(calls).toEqual({ exchange: before.exchange + 20, extend: before.extend + 30 })
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("gives a sign of life in each lease, though one is lost", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      const heard: Array<number> = []
      let signs = 0
      const lossy = {
        ...store,
        extend: (...leases: Parameters<typeof store.extend>) =>
          ++signs % 3 === 0
            ? Effect.fail(new JobStoreError({ reason: "Unavailable", detail: "as scripted" }))
            : Effect.zipLeft(
                store.extend(...leases),
                Effect.map(Clock.currentTimeMillis, (now) => heard.push(now))
              )
      }
      const { job } = yield* makeJob(() => Effect.void)
      yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, lossy))
      yield* TestClock.adjust("5 minutes")
      const gaps = heard.slice(1).map((time, index) => time - (heard[index] ?? 0))
      expect(gaps.length).toBeGreaterThan(12)
      expect(Math.max(...gaps)).toBeLessThan(30_000)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("looks for itself where no wake-up comes back", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      const deaf = { ...store, arrival: () => Effect.never }
      const { job, seen } = yield* makeJob(() => Effect.void)
      const queue = yield* JobQueue
      yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, deaf))
      yield* TestClock.adjust("1 second")
      yield* queue.enqueue(job, { text: "unheard" })
      yield* TestClock.adjust("11 seconds")
      expect(yield* Queue.size(seen)).toBe(1)
    }).pipe(Effect.provide(Memory.layer()))
  )
})

describe("a worker", () => {
  it.scoped("begins nothing whose lease it lost while the answer was on its way", () =>
    Effect.gen(function* () {
      const { gate, seen, store } = yield* grantedLate
      yield* TestClock.adjust("31 seconds")
      const taken = yield* store.exchange([], 1)
      expect(taken.grants).toMatchObject([{ deliveries: 2 }])
      yield* gate.release(1)
      yield* TestClock.adjust("1 second")
      expect(yield* Queue.size(seen)).toBe(0)
      // The other one has it, and settles it.
      const [grant] = taken.grants
      const settledNow = grant === undefined ? [] : [{ _tag: "Done" as const, lease: grant.lease }]
      expect((yield* store.exchange(settledNow, 0)).settled).toEqual([true])
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("gives back late grants that it cannot ask about, and does not wait for the end of their leases", () =>
    Effect.gen(function* () {
      const { extendFails, gate, seen } = yield* grantedLate
      yield* TestClock.adjust("11 seconds")
      extendFails(1)
      yield* gate.release(1)
      yield* TestClock.adjust("1 second")
      expect(yield* Queue.take(seen)).toMatchObject({ text: "late", number: 1 })
      const counts = yield* Effect.flatMap(JobStore, (store) => store.counts)
      expect(counts.inHand).toBe(0)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("names the job that it settles too late, which another one took meanwhile", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const store = yield* JobStore
      // Its leases end, and it does not learn of that.
      const deaf = { ...store, extend: (leases: ReadonlyArray<unknown>) => Effect.succeed(leases.map(() => true)) }
      const finish = yield* Deferred.make<void>()
      const { enqueue, next } = yield* Effect.provideService(
        start(() => Deferred.await(finish)),
        JobStore,
        deaf
      )
      const id = yield* enqueue("slow")
      yield* next
      yield* TestClock.adjust("31 seconds")
      yield* store.exchange([], 1)
      yield* Deferred.succeed(finish, undefined)
      yield* TestClock.adjust("1 second")
      expect(lines.filter((line) => line.includes("too late"))).toEqual([
        `ERROR settled too late (Done): the lease was over, it may be done twice job=test.echo id=${id}`
      ])
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("asks for no new connections while it stops, however long that takes", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      let reconnects = 0
      const counting = { ...store, reconnect: Effect.sync(() => void reconnects++) }
      const { enqueue, next, worker } = yield* Effect.provideService(
        start(() => Effect.never, { grace: "90 seconds", timeout: "1 hour" }),
        JobStore,
        counting
      )
      yield* enqueue("slow")
      yield* next
      const stopped = yield* Effect.fork(Fiber.interrupt(worker))
      yield* TestClock.adjust("95 seconds")
      yield* Fiber.join(stopped)
      expect(reconnects).toBe(0)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("begins a late grant that still holds", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { gate, seen } = yield* grantedLate
      yield* TestClock.adjust("11 seconds")
      yield* gate.release(1)
      expect(yield* Queue.take(seen)).toMatchObject({ text: "late" })
      expect(lines.filter((line) => line.includes("1 grants came 11000 ms late, 1 of them still hold"))).toHaveLength(1)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("asks for new connections where its loop hangs, says so, and goes on", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const store = yield* JobStore
      const stuck = yield* Deferred.make<never, JobStoreError>()
      let hangs = true
      const hanging = {
        ...store,
        exchange: (...told: Parameters<typeof store.exchange>) =>
          hangs ? Deferred.await(stuck) : store.exchange(...told),
        reconnect: Effect.suspend(() => {
          hangs = false
          return Deferred.fail(stuck, new JobStoreError({ reason: "Unavailable", detail: "replaced" }))
        })
      }
      const { job, seen } = yield* makeJob(() => Effect.void)
      const queue = yield* JobQueue
      yield* queue.enqueue(job, { text: "a" })
      yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, hanging))
      yield* TestClock.adjust("19 seconds")
      expect(yield* Queue.size(seen)).toBe(0)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Queue.take(seen)).toMatchObject({ text: "a" })
      expect(lines.filter((line) => line.startsWith("ERROR the take loop has not come round for"))).toHaveLength(1)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("lets jobs expire by the time of the store, not by its own clock", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      // The store is an hour ahead of this worker's clock; the job expires in its time.
      const ahead = 3_600_000
      const other = {
        ...store,
        exchange: (...told: Parameters<typeof store.exchange>) =>
          Effect.map(store.exchange(...told), (reply) => ({ ...reply, now: reply.now + ahead }))
      }
      const { job, seen } = yield* makeJob(() => Effect.void)
      const queue = yield* JobQueue
      yield* queue.enqueue(job, { text: "over" }, { expires: "59 minutes" })
      yield* queue.enqueue(job, { text: "good" }, { expires: "61 minutes" })
      yield* Effect.forkScoped(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, other))
      expect(yield* Queue.take(seen)).toMatchObject({ text: "good" })
      yield* settled({ ...empty, dead: 1 })
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("takes nothing of an old backlog before somebody decides", () =>
    Effect.gen(function* () {
      const store = yield* JobStore
      const asked: Array<unknown> = []
      const guarded = {
        ...store,
        admit: (limit: number, decision: unknown) =>
          Effect.sync(() => {
            asked.push([limit, decision])
            return { _tag: "Undecided" as const, waiting: 1_001 }
          })
      }
      const { job, seen } = yield* makeJob(() => Effect.void)
      const queue = yield* JobQueue
      yield* queue.enqueue(job, { text: "old" })
      const error = yield* Effect.flip(Effect.provideService(Worker.run(Job.jobs(job)), JobStore, guarded))
      expect(error.message).toMatch(/^1001 messages wait .*--backlog bury .*--backlog send/)
      expect(asked).toEqual([[1_000, undefined]])
      expect(yield* Queue.size(seen)).toBe(0)
      yield* settled({ ...empty, waiting: 1 })
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("buries a backlog to its end before it takes, and tells how far it is", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const store = yield* JobStore
      let left = 3
      const burying = {
        ...store,
        admit: () => Effect.succeed({ _tag: "Burying" as const, left: 3 }),
        buryBacklog: () => Effect.as(Effect.sleep("3 seconds"), --left)
      }
      const { job, seen } = yield* makeJob(() => Effect.void)
      const queue = yield* JobQueue
      yield* queue.enqueue(job, { text: "fresh" })
      const worker = Worker.run(Job.jobs(job), { backlog: "bury" })
      const fiber = yield* Effect.forkScoped(Effect.provideService(worker, JobStore, burying))
      yield* TestClock.adjust("8 seconds")
      expect(yield* Queue.size(seen)).toBe(0)
      yield* TestClock.adjust("1 second")
      expect(yield* Queue.take(seen)).toMatchObject({ text: "fresh" })
      expect(lines.filter((line) => line.startsWith("INFO buried"))).toEqual([
        "INFO buried 1 of 3",
        "INFO buried 2 of 3",
        "INFO buried 3 of 3"
      ])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })

  it.scoped("says at its start what should be mended about the store", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const store = yield* JobStore
      const advising = { ...store, advice: Effect.succeed(["maxmemory-policy is allkeys-lru"]) }
      const { next, enqueue } = yield* Effect.provideService(
        start(() => Effect.void),
        JobStore,
        advising
      )
      yield* enqueue("a")
      yield* next
      expect(lines).toContain("WARN maxmemory-policy is allkeys-lru")
    }).pipe(Effect.provide([Memory.layer(), layer]))
  })
})
