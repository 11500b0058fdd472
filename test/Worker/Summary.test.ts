/**
 * The line that a worker says once a minute about its queue.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Huey from "../../src/Huey.ts"
import * as Job from "../../src/Job.ts"
import * as Memory from "../../src/Memory.ts"
import * as Summary from "../../src/Worker/Summary.ts"
import { logging } from "../services/TestWorker.ts"

const job = Job.make({
  name: "test.echo",
  params: ["text"],
  args: Schema.Struct({ text: Schema.String }),
  run: () => Effect.void
})

const codec = Huey.make()

describe("the summary", () => {
  it.effect("says how much there is and how long the oldest has waited, when that changed", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { queue, store } = yield* Memory.make()
      const say = Summary.make({ store, codec, now: Clock.currentTimeMillis })
      yield* Effect.zipRight(say, say)
      expect(lines).toEqual(["INFO waiting 0, scheduled 0, in hand 0, retrying 0, dead 0"])
      yield* TestClock.adjust("1 minute")
      yield* queue.enqueue(job, { text: "a" }, {})
      yield* TestClock.adjust("90 seconds")
      yield* queue.enqueue(job, { text: "b" }, {})
      yield* say
      expect(lines.slice(1)).toEqual(["INFO waiting 2, oldest 90 s, scheduled 0, in hand 0, retrying 0, dead 0"])
      yield* store.exchange([], 1)
      yield* Effect.zipRight(say, say)
      expect(lines.slice(2)).toEqual(["INFO waiting 1, oldest 0 s, scheduled 0, in hand 1, retrying 0, dead 0"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("says nothing of the age where the id does not tell, or the message cannot be read", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { store } = yield* Memory.make()
      const message = yield* codec.encode(
        Huey.message({ id: "6ba7b810-9dad-41d1-80b4-00c04fd430c8", name: "x", call: { args: [], kwargs: {} } })
      )
      const counts = Effect.succeed({ waiting: 1, scheduled: 0, inHand: 0, retrying: 0, dead: 0 })
      for (const bytes of [message, Buffer.from("no message")]) {
        const peek = () => Effect.succeed([bytes])
        yield* Summary.make({ store: { ...store, counts, peek }, codec, now: Effect.succeed(0) })
      }
      const line = "INFO waiting 1, scheduled 0, in hand 0, retrying 0, dead 0"
      expect(lines).toEqual([line, line])
    }).pipe(Effect.provide(layer))
  })
})
