/**
 * Two exchanges of one worker under way at a time, on a store whose answers come when the test says so.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import { JobStore, JobStoreError } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import type * as Worker from "../../src/Worker.ts"
import { empty, type Handler, logging, settled, start } from "../services/TestWorker.ts"

/** An exchange that the store has done, and whose answer is on its way. */
interface Asked {
  readonly free: number
  readonly suspects: number
  readonly told: number
  readonly granted: number
  readonly answer: Effect.Effect<unknown>
  /** The answer gets lost. */
  readonly lose: Effect.Effect<unknown>
}

const lost = new JobStoreError({ reason: "Unavailable", detail: "as scripted" })

/** Starts a worker of sixteen slots on a store that answers as it is told. */
const onSlowStore = Effect.fnUntraced(function* (handler: Handler, options: Worker.Options = {}) {
  const store = yield* JobStore
  const asked = yield* Queue.unbounded<Asked>()
  const slow = {
    ...store,
    exchange: Effect.fnUntraced(function* (...[settlements, free, suspects]: Parameters<typeof store.exchange>) {
      const gate = yield* Deferred.make<boolean, JobStoreError>()
      const reply = yield* store.exchange(settlements, free, suspects)
      yield* Queue.offer(asked, {
        free,
        suspects: suspects ?? 1,
        told: settlements.length,
        granted: reply.grants.length,
        answer: Deferred.succeed(gate, true),
        lose: Deferred.fail(gate, lost)
      })
      yield* Deferred.await(gate)
      return reply
    })
  }
  const started = yield* Effect.provideService(start(handler, { slots: 16, ...options }), JobStore, slow)
  const next = Queue.take(asked)
  const answerAll = Effect.forkDaemon(Effect.forever(Effect.flatMap(next, ({ answer }) => answer)))
  yield* Effect.addFinalizer(() => answerAll)
  return { ...started, next, answerAll, asked, store, begun: Queue.size(started.seen) }
})

/** All that can happen without another answer has happened. */
const quiet = TestClock.adjust("1 second")

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`)

/** A worker that found nothing when it began: first nothing but what is under suspicion, then nothing at all. */
const begunIdle = ({ next }: Effect.Effect.Success<ReturnType<typeof onSlowStore>>) =>
  Effect.gen(function* () {
    for (const suspects of [0, 1]) {
      const asking = yield* next
      expect(asking.suspects).toBe(suspects)
      yield* asking.answer
      yield* quiet
    }
  })

/** A worker with two exchanges under way, that asked for all its slots, and 32 jobs more than it has begun. */
const overlapping = Effect.fnUntraced(function* (options: Worker.Options = {}) {
  const worker = yield* onSlowStore(() => Effect.void, options)
  yield* begunIdle(worker)
  yield* Effect.forEach(texts(56), (text) => worker.enqueue(text))
  yield* TestClock.adjust("10 seconds")
  // Eight at once show that more may wait, and eight more are done while the next eight are asked for.
  yield* Effect.flatMap(worker.next, ({ answer }) => answer)
  yield* quiet
  const [first, second] = [yield* worker.next, yield* worker.next]
  return { ...worker, first, second }
})

describe("a worker", () => {
  it.scoped("asks no more while nothing waits, however fast the store answers", () =>
    Effect.gen(function* () {
      const worker = yield* onSlowStore(() => Effect.void)
      yield* begunIdle(worker)
      expect(yield* Queue.size(worker.asked)).toBe(0)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("asks a second time while the store answers, where messages wait, and for no more than its slots", () =>
    Effect.gen(function* () {
      const { answerAll, asked, begun, first, second } = yield* overlapping()
      expect([first.free, second.free]).toEqual([8, 8])
      expect(yield* begun).toBe(8)
      yield* quiet
      expect(yield* Queue.size(asked)).toBe(0)
      yield* second.answer
      yield* first.answer
      yield* quiet
      expect(yield* begun).toBe(24)
      yield* answerAll
      yield* TestClock.adjust("10 seconds")
      yield* settled(empty)
      expect(yield* begun).toBe(56)
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("asks for one message under suspicion at a time, and always for one", () =>
    Effect.gen(function* () {
      const { first, next, second } = yield* overlapping()
      expect([first.suspects, second.suspects]).toEqual([1, 0])
      yield* first.answer
      yield* quiet
      const third = yield* next
      expect(third.suspects).toBe(1)
      yield* second.answer
      yield* third.answer
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("does each job once where either of two exchanges is lost, and leaves no slot idle", () =>
    Effect.forEach(["first", "second", "both"] as const, (which) =>
      Effect.gen(function* () {
        const { layer, lines } = logging()
        const { answerAll, begun, first, second, store } = yield* Effect.provide(overlapping(), layer)
        yield* which === "second" ? first.answer : first.lose
        yield* which === "first" ? second.answer : second.lose
        yield* answerAll
        yield* TestClock.adjust("10 seconds")
        const kept = { first: 8, second: 8, both: 16 }[which]
        // What was granted by an answer that is lost comes back when its lease ends; all the others are done.
        expect(yield* store.counts).toEqual({ ...empty, inHand: kept })
        expect(yield* begun).toBe(56 - kept)
        yield* TestClock.adjust("30 seconds")
        yield* settled(empty)
        expect(yield* begun).toBe(56)
        // What was told by the one that is lost was told once more, and the store knew it.
        expect(lines.filter((line) => line.includes("too late"))).toEqual([])
      }).pipe(Effect.scoped, Effect.provide(Memory.layer()))
    )
  )

  it.scoped("that stops begins nothing of two exchanges under way, and gives it back at once", () =>
    Effect.forEach([true, false], (inOrder) =>
      Effect.gen(function* () {
        const { answerAll, begun, first, next, second, store, worker } = yield* overlapping()
        const stopping = yield* Effect.fork(Fiber.interrupt(worker))
        yield* TestClock.adjust("2 seconds")
        yield* inOrder ? first.answer : second.answer
        yield* quiet
        const third = yield* next
        expect(third.free).toBe(0)
        yield* third.answer
        yield* answerAll
        yield* quiet
        yield* inOrder ? second.answer : first.answer
        // In no time: what ends is told at once.
        yield* Fiber.join(stopping)
        expect(yield* begun).toBe(8)
        const { inHand, retrying, waiting } = yield* store.counts
        expect([inHand, retrying + waiting]).toEqual([0, 48])
      }).pipe(Effect.scoped, Effect.provide(Memory.layer()))
    )
  )
})
