/**
 * A small run of `npm run bench`: the same code, every row. No speed is asserted.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Bench from "./bench/Bench.ts"
import * as Stage from "./bench/Stage.ts"
import * as Summary from "./bench/Summary.ts"
import { rows } from "./bench/Table.ts"

const options: Bench.Options = {
  repetitions: 1,
  retries: 0,
  waits: false,
  begins: () => Effect.void,
  progress: () => Effect.void
}

it.live(
  "yields figures in every row",
  () =>
    Effect.gen(function* () {
      // The last row takes longest.
      const results = yield* Effect.forEach([...rows].reverse(), (row) => Bench.run(row, options), { concurrency: 4 })
      for (const result of results) {
        const figures = Summary.figures(result)
        expect(new Set(figures.map(({ side }) => side)).size, result.row.name).toBe(result.row.sides.length)
        const compared = Summary.compared(result)
        expect(compared.length, result.row.name).toBe(result.row.comparisons.length)
        const values = [...figures.map(({ median }) => median), ...compared.map(({ ratio }) => ratio)]
        expect(values.filter((value) => !Number.isFinite(value) || value < 0)).toEqual([])
      }
    }).pipe(Effect.provide(Stage.layer({ size: "Tiny", aof: false }))),
  120_000
)
