/**
 * Medians and ratios of what was run. Pure.
 */
import type { Result, Run } from "./Bench.ts"
import type { Comparison, Measured } from "./Row.ts"

interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** One figure of one side, over the runs that count. */
export interface SideFigure extends Spread {
  readonly side: string
  readonly figure: string
  readonly runs: number
  /** How many of these were disturbed. */
  readonly disturbed: number
}

/** `Told`: there is no bar. */
export type Verdict = "Told" | "Misses" | "MeetsBar" | "MeetsAim"

export interface Compared {
  readonly comparison: Comparison
  /** Of the medians; the median itself where it is compared with nothing. */
  readonly ratio: number
  /** Of the single repetitions. */
  readonly min: number
  readonly max: number
  readonly verdict: Verdict
}

const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

const counting = ({ runs }: Result, side: string) => runs.filter((run) => run.counts && run.side === side)

/** Every figure of every side. */
export const figures = (result: Result): ReadonlyArray<SideFigure> =>
  result.row.sides.flatMap(({ name: side }) => {
    const runs = counting(result, side)
    const names = Object.keys(runs[0]?.figures ?? {})
    const disturbed = runs.filter((run) => run.disturbed).length
    return names.map((figure) => ({
      side,
      figure,
      runs: runs.length,
      disturbed,
      ...spread(runs.map((run) => run.figures[figure] ?? Number.NaN))
    }))
  })

const judge = (ratio: number, { aim, bar, better }: Comparison): Verdict => {
  const meets = (limit: number | undefined) =>
    limit !== undefined && (better === "higher" ? ratio >= limit : ratio <= limit)
  if (bar === undefined) return "Told"
  if (!meets(bar)) return "Misses"
  return meets(aim) ? "MeetsAim" : "MeetsBar"
}

const compareOne = (result: Result, comparison: Comparison): Compared => {
  const values = ({ figure, side }: Measured) =>
    counting(result, side).map((run: Run) => run.figures[figure] ?? Number.NaN)
  const { against } = comparison
  const of = values(comparison.of)
  const others = against === undefined ? of.map(() => 1) : values(against)
  const ratio = spread(of).median / spread(others).median
  const { max, min } = spread(of.map((value, index) => value / (others[index] ?? Number.NaN)))
  return { comparison, ratio, min, max, verdict: judge(ratio, comparison) }
}

/** Every comparison of a row. */
export const compared = (result: Result): ReadonlyArray<Compared> =>
  result.row.comparisons.map((comparison) => compareOne(result, comparison))
