import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Fork from "../../src/Worker/Fork.ts"

class Name extends Context.Tag("Name")<Name, string>() {}

it.effect("an attempt has what its worker has and its own job's id, and leaves nothing behind for the next one", () =>
  Effect.gen(function* () {
    const setting = FiberRef.unsafeMake("worker's")
    const seen: Array<unknown> = []
    const attempt = Effect.gen(function* () {
      const annotations = yield* FiberRef.get(FiberRef.currentLogAnnotations)
      seen.push([yield* Name, yield* FiberRef.get(setting), Object.fromEntries(annotations)])
      yield* FiberRef.set(setting, "an attempt's")
    })
    const withFork = Fork.make<Name>()
    const fibers: Array<Fiber.RuntimeFiber<void>> = []
    const start = (...ids: ReadonlyArray<string | undefined>) =>
      withFork((fork) => {
        for (const id of ids) fibers.push(fork(attempt, id))
      })
    yield* start("a", "b").pipe(
      Effect.zipRight(start(undefined)),
      Effect.locally(setting, "run's"),
      Effect.annotateLogs("service", "worker"),
      Effect.provideService(Name, "name")
    )
    expect(seen).toEqual([
      ["name", "run's", { service: "worker", id: "a" }],
      ["name", "run's", { service: "worker", id: "b" }],
      ["name", "run's", { service: "worker" }]
    ])
    yield* Fiber.joinAll(fibers)
  })
)

it.effect("an attempt is interrupted only where it allows it", () =>
  Effect.gen(function* () {
    const ends: Array<string> = []
    const end = (name: string) => Effect.sync(() => ends.push(name))
    const attempt = Effect.interruptible(Effect.never).pipe(
      Effect.onInterrupt(() => end("handler")),
      Effect.exit,
      Effect.zipRight(Effect.yieldNow()),
      Effect.zipRight(end("settled")),
      Effect.asVoid
    )
    const fibers: Array<Fiber.RuntimeFiber<void>> = []
    yield* Fork.make<never>()((fork) => {
      fibers.push(fork(attempt, "a"))
    })
    yield* Fiber.interruptAll(fibers)
    expect(ends).toEqual(["handler", "settled"])
  })
)
