/**
 * What a worker tells the store at a time, of jobs that end one after the other.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import * as EventLoop from "../../src/EventLoop.ts"
import { JobStore } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import { start } from "../services/TestWorker.ts"

/** A worker whose slots are all at work; `end` ends the jobs, `told` has how many each exchange told that told any. */
const atWork = Effect.fnUntraced(function* (slots: number) {
  const store = yield* JobStore
  const told = yield* Queue.unbounded<number>()
  const telling: typeof store = {
    ...store,
    exchange: (settlements, ...rest) =>
      Effect.tap(store.exchange(settlements, ...rest), () =>
        settlements.length === 0 ? Effect.void : Queue.offer(told, settlements.length)
      )
  }
  const gates = new Map<string, Deferred.Deferred<void>>()
  for (let index = 0; index < slots; index++) gates.set(`text ${index}`, yield* Deferred.make<void>())
  const handler = (text: string) => {
    const gate = gates.get(text)
    return gate === undefined ? Effect.void : Deferred.await(gate)
  }
  const { enqueue, seen } = yield* Effect.provideService(start(handler, { slots }), JobStore, telling)
  const end = [...gates.values()].map((gate) => Deferred.succeed(gate, undefined))
  // Or the worker's own end would wait for them.
  yield* Effect.addFinalizer(() => Effect.all(end))
  yield* Effect.forEach(gates.keys(), (text) => enqueue(text))
  while ((yield* Queue.size(seen)) < slots) yield* Effect.zipRight(TestClock.adjust("1 second"), EventLoop.nextTurn)
  return { end, told }
})

describe("a worker whose slots are nearly all at work", () => {
  it.scoped("tells jobs together that end in one turn of the event loop after the other", () =>
    Effect.gen(function* () {
      const { end, told } = yield* atWork(16)
      yield* Effect.forEach(end.slice(0, 4), (one) => Effect.zipRight(one, EventLoop.nextTurn))
      // A quarter of the slots is free now: nothing more is waited for.
      yield* Effect.zipRight(EventLoop.nextTurn, EventLoop.nextTurn)
      expect(yield* Queue.takeAll(told)).toEqual(Chunk.of(4))
    }).pipe(Effect.provide(Memory.layer()))
  )

  it.scoped("tells one that ends alone, however long the others last", () =>
    Effect.gen(function* () {
      const { end, told } = yield* atWork(16)
      yield* Effect.all(end.slice(0, 1))
      expect(yield* Queue.take(told)).toBe(1)
    }).pipe(Effect.provide(Memory.layer()))
  )
})

describe("a worker with free slots", () => {
  it.scoped("tells a job when it has ended, and waits for no other", () =>
    Effect.gen(function* () {
      const { end, told } = yield* atWork(4)
      const [first = Effect.void, second = Effect.void, third = Effect.void] = end
      yield* Effect.all([first, second])
      expect(yield* Queue.take(told)).toBe(2)
      yield* third
      yield* EventLoop.nextTurn
      yield* EventLoop.nextTurn
      expect(yield* Queue.size(told)).toBe(1)
    }).pipe(Effect.provide(Memory.layer()))
  )
})
