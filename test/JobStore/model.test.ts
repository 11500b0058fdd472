/**
 * Random things happen to a queue on a real Redis, and to a model of it in memory: after each of them every message is in
 * exactly one place, the same on both sides. `MODEL_RUNS` and `MODEL_SEED` set how many sequences, and which.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { commands } from "./model/commands.ts"
import * as Model from "./model/Model.ts"
import * as Real from "./model/Real.ts"

const { MODEL_RUNS, MODEL_SEED } = process.env
const numRuns = Number(MODEL_RUNS ?? 2_000)
const seed = Number(MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31))

describe("JobStore.Redis", () => {
  it.scopedLive(
    `holds every message in exactly one place, in ${numRuns} sequences of seed ${seed}`,
    () =>
      Effect.gen(function* () {
        const real = yield* Real.make(3)
        const property = fc.asyncProperty(commands, async (sequence) => {
          await Effect.runPromise(real.reset)
          await fc.asyncModelRun(() => ({ model: Model.make(3), real }), sequence)
        })
        yield* Effect.promise(() => fc.assert(property, { numRuns, seed }))
      }),
    // A sequence takes some ten milliseconds on two cores.
    numRuns * 100
  )
})
