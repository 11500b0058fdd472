/**
 * What a wake-up call brings along, on a store whose answer to it comes when the test says so.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import { JobStore } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import type * as Worker from "../../src/Worker.ts"
import { empty, type Handler, logging, settled, start } from "../services/TestWorker.ts"

/** A wake-up call under way. */
interface Call {
  readonly free: number
  /** Has the store grant what there is. */
  readonly grant: Effect.Effect<number>
  /** Has what was granted arrive. */
  readonly answer: Effect.Effect<unknown>
}

/** Starts a worker on a store that answers a wake-up call as it is told. */
const onSlowArrival = Effect.fnUntraced(function* (handler: Handler, options: Worker.Options) {
  const store = yield* JobStore
  const calls = yield* Queue.unbounded<Call>()
  const slow = {
    ...store,
    arrival: Effect.fnUntraced(function* (free: number) {
      const [granting, granted, gate] = [
        yield* Deferred.make<void>(),
        yield* Deferred.make<number>(),
        yield* Deferred.make<void>()
      ]
      yield* Queue.offer(calls, {
        free,
        grant: Effect.zipRight(Deferred.succeed(granting, undefined), Deferred.await(granted)),
        answer: Deferred.succeed(gate, undefined)
      })
      yield* Deferred.await(granting)
      const reply = yield* store.exchange([], free, 0)
      yield* Deferred.succeed(granted, reply.grants.length)
      yield* Deferred.await(gate)
      return reply
    })
  }
  const started = yield* Effect.provideService(start(handler, options), JobStore, slow)
  return { ...started, store, call: Queue.take(calls), begun: Queue.size(started.seen) }
})

describe("a worker that is woken up", () => {
  it.scoped("gives back at once what was granted while another job took its slot, and does it after that", () =>
    Effect.gen(function* () {
      const { layer, lines } = logging()
      yield* Effect.gen(function* () {
        const end = yield* Deferred.make<void>()
        const { begun, call, enqueue, next, store } = yield* onSlowArrival(() => Deferred.await(end), { slots: 1 })
        const { answer, free, grant } = yield* call
        expect(free).toBe(1)
        yield* enqueue("first")
        yield* TestClock.adjust("12 seconds")
        expect((yield* next).text).toBe("first")
        yield* enqueue("second")
        expect(yield* grant).toBe(1)
        yield* answer
        yield* TestClock.adjust("1 second")
        expect(yield* begun).toBe(0)
        expect(yield* store.counts).toEqual({ ...empty, inHand: 1, retrying: 1 })
        yield* Deferred.succeed(end, undefined)
        yield* TestClock.adjust("1 second")
        expect((yield* next).text).toBe("second")
        yield* settled(empty)
      }).pipe(Effect.provide(layer))
      // It was in nobody's hand.
      expect(lines.filter((line) => line.includes("redelivered"))).toEqual([])
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("begins what was granted long ago only where its lease still holds", () =>
    Effect.forEach([11, 31], (seconds) =>
      Effect.gen(function* () {
        const { layer, lines } = logging()
        const { begun, call, enqueue } = yield* Effect.provide(
          onSlowArrival(() => Effect.void, { slots: 2 }),
          layer
        )
        const { answer, grant } = yield* call
        yield* enqueue("text")
        expect(yield* grant).toBe(1)
        yield* TestClock.adjust(`${seconds} seconds`)
        // The loop was granted it where the lease was over.
        expect(yield* begun).toBe(seconds < 30 ? 0 : 1)
        yield* answer
        yield* TestClock.adjust("1 second")
        yield* settled(empty)
        expect(yield* begun).toBe(1)
        const late = `WARN 1 grants came ${seconds}000 ms late, ${seconds < 30 ? 1 : 0} of them still hold`
        expect(lines).toContain(late)
      }).pipe(Effect.scoped, Effect.provide(Memory.layer()))
    )
  )
})
