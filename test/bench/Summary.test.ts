/**
 * Medians, ratios and verdicts of runs that are made up.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Result, Run } from "./Bench.ts"
import * as Plot from "./Plot.ts"
import * as Report from "./Report.ts"
import { type Comparison, compare, type Row } from "./Row.ts"
import * as Summary from "./Summary.ts"

const of = (limits: Omit<Comparison, "title" | "of" | "against">): Row => ({
  name: "made-up",
  title: "a row that is made up",
  sides: ["ours", "theirs"].map((name) => ({ name, run: Effect.succeed({}) })),
  comparisons: [compare("<through> & put", "rate", ["ours", "theirs"], limits)]
})

const run = (side: string, rate: number, more: Partial<Run> = {}): Run => ({
  side,
  repetition: 1,
  repetitions: 3,
  figures: { rate },
  load: 1,
  steal: 0,
  foreign: 0,
  disturbed: false,
  counts: true,
  ...more
})

/** Ours 100, 300, 200 beside theirs 100, 200, 50; a run that was done again is not counted. */
const runs = [
  run("ours", 100),
  run("theirs", 100),
  run("ours", 9_999, { counts: false, disturbed: true }),
  run("ours", 300),
  run("theirs", 200),
  run("ours", 200, { disturbed: true }),
  run("theirs", 50)
]

const result = (limits: Omit<Comparison, "title" | "of" | "against">): Result => ({ row: of(limits), runs })

const verdict = (limits: Omit<Comparison, "title" | "of" | "against">) =>
  Summary.compared(result(limits)).map((it) => it.verdict)

describe("the summary", () => {
  it("takes medians of the runs that count, and tells how many of them were disturbed", () => {
    expect(Summary.figures(result({ better: "higher" }))).toEqual([
      { side: "ours", figure: "rate", runs: 3, disturbed: 1, median: 200, min: 100, max: 300 },
      { side: "theirs", figure: "rate", runs: 3, disturbed: 0, median: 100, min: 50, max: 200 }
    ])
  })

  it("takes the mean of the middle two where the runs are even", () => {
    const even = { row: of({ better: "higher" }), runs: [run("ours", 100), run("ours", 200)] }
    expect(Summary.figures(even)).toMatchObject([{ median: 150 }])
  })

  it("compares medians, and repetitions one by one", () => {
    expect(Summary.compared(result({ better: "higher" }))).toMatchObject([{ ratio: 2, min: 1, max: 4 }])
  })

  it("judges by bar and aim, whichever way is better", () => {
    expect(verdict({ better: "higher" })).toEqual(["Told"])
    expect(verdict({ better: "higher", bar: 2.1, aim: 3 })).toEqual(["Misses"])
    expect(verdict({ better: "higher", bar: 2, aim: 2.1 })).toEqual(["MeetsBar"])
    expect(verdict({ better: "higher", bar: 1, aim: 2 })).toEqual(["MeetsAim"])
    expect(verdict({ better: "lower", bar: 1.9, aim: 1 })).toEqual(["Misses"])
    expect(verdict({ better: "lower", bar: 2, aim: 1.9 })).toEqual(["MeetsBar"])
    expect(verdict({ better: "lower", bar: 3, aim: 2 })).toEqual(["MeetsAim"])
  })

  it("judges a median alone where it is compared with nothing", () => {
    const alone: Comparison = {
      title: "calls",
      of: { side: "ours", figure: "rate" },
      against: undefined,
      better: "lower",
      bar: 200
    }
    const [compared] = Summary.compared({ row: { ...of({ better: "lower" }), comparisons: [alone] }, runs })
    expect(compared).toMatchObject({ ratio: 200, min: 100, max: 300, verdict: "MeetsBar" })
  })
})

describe("what is shown", () => {
  const shown = result({ better: "higher", bar: 2.1, aim: 3 })

  it("names a missed bar, and how many runs were disturbed", () => {
    const text = Report.show([shown])
    expect(text).toMatch(/<through> & put: ours \/ theirs +2\.00 +1\.00 \.\. 4\.00 +≥ 2\.1 +≥ 3 +MISSES THE BAR/)
    expect(text).toContain("3 runs, 1 DISTURBED")
  })

  it("is drawn with every text escaped", () => {
    const svg = Plot.svg([shown])
    expect(svg).toContain("made-up; &lt;through&gt; &amp; put: ours / theirs")
    expect(svg.match(/<circle/g)).toHaveLength(1)
    expect(svg).toContain("bar ≥ 2.1, aim ≥ 3")
  })
})
