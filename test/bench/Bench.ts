/**
 * Runs rows: their sides in turn, A B A B, each run in fresh processes; a run that was disturbed is done again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BenchError } from "./BenchError.ts"
import * as Machine from "./Machine.ts"
import type { Figures, Row, Side } from "./Row.ts"
import type { Stage } from "./Stage.ts"

/** Which run it is. */
export interface Place {
  readonly repetition: number
  /** Of so many. */
  readonly repetitions: number
}

/** One run of a side, and what the machine did meanwhile. */
export interface Run extends Machine.Quiet, Place {
  readonly side: string
  readonly figures: Figures
  readonly disturbed: boolean
  /** Whether it counts: of a repetition that was disturbed the quietest does. */
  readonly counts: boolean
}

export interface Result {
  readonly row: Row
  /** All of them, in the order in which they were done. */
  readonly runs: ReadonlyArray<Run>
}

export interface Options {
  readonly repetitions: number
  /** How often a run that was disturbed is done again. */
  readonly retries: number
  /** Whether a run waits for a quiet machine before. */
  readonly waits: boolean
  /** Is told each run before it begins. */
  readonly begins: (row: Row, side: string, place: Place) => Effect.Effect<void>
  /** Is told each run when it is over. */
  readonly progress: (row: Row, run: Run) => Effect.Effect<void>
}

/** The longest, a million jobs, takes ten minutes on a slow machine. */
const runLimit = Duration.minutes(20)

const once = (side: Side, place: Place): Effect.Effect<Omit<Run, "counts">, BenchError, Stage> =>
  Effect.scoped(
    Effect.gen(function* () {
      const seen = yield* Machine.watch
      const figures = yield* side.run
      // While the processes are there, whose work is ours.
      const quiet = yield* seen
      return { side: side.name, ...place, figures, ...quiet, disturbed: Machine.isDisturbed(quiet) }
    })
  ).pipe(
    Effect.timeoutFail({
      duration: runLimit,
      onTimeout: () => new BenchError({ reason: "Late", detail: `more than ${Duration.format(runLimit)}` })
    }),
    Effect.mapError(({ detail, reason }) => new BenchError({ reason, detail: `${side.name}: ${detail}` }))
  )

/** How much a run was disturbed. */
const noise = ({ foreign, steal }: Machine.Quiet) => steal + foreign

/** A repetition of a side: until it was not disturbed, or often enough. */
const repetition = Effect.fnUntraced(function* (row: Row, side: Side, place: Place, options: Options) {
  const runs: Array<Omit<Run, "counts">> = []
  for (let left = options.retries; left >= 0; left--) {
    yield* options.begins(row, side.name, place)
    if (options.waits) yield* Machine.quiet
    const run = yield* once(side, place)
    runs.push(run)
    yield* options.progress(row, { ...run, counts: true })
    if (!run.disturbed) break
  }
  const [best] = [...runs].sort((a, b) => noise(a) - noise(b))
  return runs.map((run): Run => ({ ...run, counts: run === best }))
})

/** Runs one row. */
export const run = Effect.fnUntraced(function* (
  row: Row,
  options: Options
): Effect.fn.Return<Result, BenchError, Stage> {
  const runs: Array<Run> = []
  const repetitions = Math.min(options.repetitions, row.repetitions ?? options.repetitions)
  for (let number = 1; number <= repetitions; number++) {
    const place = { repetition: number, repetitions }
    for (const side of row.sides) runs.push(...(yield* repetition(row, side, place, options)))
  }
  return { row, runs }
})
